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
        /// session share the key by `accessGroup`.
        ///
        /// Throws where there is no Secure Enclave, as in the simulator on an old Mac: then
        /// `softwareProofKey(storage:)` over a `KeychainStorage` of its own is the next best.
        public init(name: String, accessGroup: String? = nil) throws {
            let tag = Data(name.utf8)
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
                key = found as! SecKey
                return
            }
            guard status == errSecItemNotFound else { throw KeychainError(status: status) }
            key = try Self.made(tag, accessGroup)
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
