#if canImport(Security)
    import Foundation
    import Security

    /// A key in the Secure Enclave, which the tokens of a session are bound to (DPoP, RFC 9449): it
    /// never leaves the device, so whoever copies the tokens off it cannot use them. Usable since the
    /// first unlock after a start of the device.
    ///
    /// It outlives the removal of the app, as the tokens in the Keychain do.
    public final class SecureEnclaveKey: ProofKey, @unchecked Sendable {
        // `SecKey` may be used on any thread.
        private let key: SecKey

        /// The key of this name, made at the first call. An app and its extensions that share a
        /// session share two things: `accessGroup`, the Keychain group in which the key is, and
        /// `lockFile`, a file in the container of their app group by which they keep each other from
        /// making two keys of one name.
        ///
        /// Throws where there is no Secure Enclave, as in the simulator on an old Mac: then
        /// `softwareProofKey(storage:)` over a `KeychainStorage` of its own is the next best.
        public init(name: String, accessGroup: String? = nil, lockFile: URL? = nil) async throws {
            let file = Data(name.utf8).base64EncodedString().replacingOccurrences(of: "/", with: "_")
            let own = FileManager.default.temporaryDirectory
                .appendingPathComponent("regrant-key-\(file).lock")
            let lock = FileLock(path: (lockFile ?? own).path)
            try await lock.lock()
            defer { lock.unlock() }
            key = try Self.found(Data(name.utf8), accessGroup)
        }

        private static func found(_ tag: Data, _ accessGroup: String?) throws -> SecKey {
            var query: [CFString: Any] = [
                kSecClass: kSecClassKey,
                kSecAttrKeyType: kSecAttrKeyTypeECSECPrimeRandom,
                kSecAttrApplicationTag: tag,
                kSecReturnRef: true,
                kSecUseDataProtectionKeychain: true,
            ]
            query[kSecAttrAccessGroup] = accessGroup
            var found: CFTypeRef?
            let status = SecItemCopyMatching(query as CFDictionary, &found)
            if status == errSecSuccess, let found {
                // The query asks for nothing else.
                return found as! SecKey
            }
            guard status == errSecItemNotFound else { throw KeychainError(status: status) }
            return try made(tag, accessGroup)
        }

        private static func made(_ tag: Data, _ accessGroup: String?) throws -> SecKey {
            var failure: Unmanaged<CFError>?
            let access = SecAccessControlCreateWithFlags(
                nil, kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly, .privateKeyUsage, &failure)
            guard let access else { throw failure!.takeRetainedValue() as Error }
            var own: [CFString: Any] = [
                kSecAttrIsPermanent: true,
                kSecAttrApplicationTag: tag,
                kSecAttrAccessControl: access,
            ]
            own[kSecAttrAccessGroup] = accessGroup
            let attributes: [CFString: Any] = [
                kSecAttrKeyType: kSecAttrKeyTypeECSECPrimeRandom,
                kSecAttrKeySizeInBits: 256,
                kSecAttrTokenID: kSecAttrTokenIDSecureEnclave,
                kSecUseDataProtectionKeychain: true,
                kSecPrivateKeyAttrs: own,
            ]
            guard let key = SecKeyCreateRandomKey(attributes as CFDictionary, &failure) else {
                throw failure!.takeRetainedValue() as Error
            }
            return key
        }

        public func publicKey() throws -> Data {
            var failure: Unmanaged<CFError>?
            guard let publicKey = SecKeyCopyPublicKey(key),
                let point = SecKeyCopyExternalRepresentation(publicKey, &failure)
            else { throw CallbackError.Failed(reason: "the key has no public part") }
            return point as Data
        }

        public func sign(message: Data) throws -> Data {
            var failure: Unmanaged<CFError>?
            let signature = SecKeyCreateSignature(
                key, .ecdsaSignatureMessageX962SHA256, message as CFData, &failure)
            guard let signature else { throw failure!.takeRetainedValue() as Error }
            return signature as Data
        }
    }
#endif
