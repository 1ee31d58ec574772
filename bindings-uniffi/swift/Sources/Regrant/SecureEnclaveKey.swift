#if canImport(Security)
    import Foundation
    import Security

    /// A key in the Secure Enclave to bind the tokens of a session to (DPoP, RFC 9449). It never leaves
    /// the device, so copied tokens are useless. Usable after the first unlock of the device.
    ///
    /// It survives the removal of the app, as the tokens in the Keychain do.
    public final class SecureEnclaveKey: ProofKey, @unchecked Sendable {
        // `SecKey` may be used on any thread.
        private let key: SecKey

        /// Loads the key named `name`, or creates one. An app and extensions that share a session must
        /// share `accessGroup`, the Keychain group of the key, and `lockFile`, a file in their app
        /// group's container that prevents them from creating two keys of one name.
        ///
        /// Throws without a Secure Enclave, for example in the simulator on an old Mac: then use
        /// `softwareProofKey(storage:)` over a `KeychainStorage` of its own.
        public init(name: String, accessGroup: String? = nil, lockFile: URL? = nil) async throws {
            let file = Data(name.utf8).base64EncodedString().replacingOccurrences(of: "/", with: "_")
            let own = FileManager.default.temporaryDirectory
                .appendingPathComponent("regrant-key-\(file).lock")
            let lock = FileLock(path: (lockFile ?? own).path)
            try await lock.lock()
            defer { lock.unlock() }
            key = try Self.loadOrCreate(Data(name.utf8), accessGroup)
        }

        private static func loadOrCreate(_ tag: Data, _ accessGroup: String?) throws -> SecKey {
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
                // The query matches keys only.
                return found as! SecKey
            }
            guard status == errSecItemNotFound else { throw KeychainError(status: status) }
            return try create(tag, accessGroup)
        }

        private static func create(_ tag: Data, _ accessGroup: String?) throws -> SecKey {
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
            else { throw CallbackError.Failed(reason: "the key has no public key") }
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
