#if canImport(Security)
    import Foundation
    import Security

    /// Stores the tokens as one Keychain item. It is readable after the first unlock of the device,
    /// never synchronised, and never restored to another device.
    ///
    /// The item survives the removal of the app. For a new installation to start signed out, call
    /// `clear()` on its first start.
    public final class KeychainStorage: TokenStorage {
        private let service: String
        private let account: String
        private let accessGroup: String?
        private let fileLock: FileLock
        /// Runs Keychain calls, which may block.
        private let queue = DispatchQueue(label: "regrant.keychain-storage")

        /// The item `account` of `service`.
        ///
        /// An app and extensions that share a session must share `accessGroup`, the Keychain group
        /// of the item, and `lockFile`, a file in their app group's container that prevents them from
        /// refreshing at the same time. Without `lockFile` the lock covers this process only.
        ///
        /// iOS kills an app that is suspended while it holds a lock in a shared container
        /// (`0xDEAD10CC`): request a background task (`beginBackgroundTask`) while calls are in
        /// progress.
        public init(
            service: String, account: String = "session", accessGroup: String? = nil,
            lockFile: URL? = nil
        ) {
            self.service = service
            self.account = account
            self.accessGroup = accessGroup
            let name = Data("\(service)\n\(account)".utf8).base64EncodedString()
                .replacingOccurrences(of: "/", with: "_")
            let own = FileManager.default.temporaryDirectory
                .appendingPathComponent("regrant-\(name).lock")
            fileLock = FileLock(path: (lockFile ?? own).path)
        }

        public func read() async throws -> Data? {
            try await queue.run { [item] in
                var query = item
                query[kSecReturnData] = true
                query[kSecMatchLimit] = kSecMatchLimitOne
                var found: CFTypeRef?
                let status = SecItemCopyMatching(query as CFDictionary, &found)
                // Any other error is thrown, for example `errSecInteractionNotAllowed` before the
                // first unlock: the user must stay signed in.
                if status == errSecItemNotFound { return nil }
                guard status == errSecSuccess, let data = found as? Data else {
                    throw KeychainError(status: status)
                }
                return data
            }
        }

        public func write(value: Data) async throws {
            try await queue.run { [item] in
                let attributes: [CFString: Any] = [
                    kSecValueData: value,
                    kSecAttrAccessible: kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly,
                ]
                var status = SecItemUpdate(item as CFDictionary, attributes as CFDictionary)
                if status == errSecItemNotFound {
                    let new = item.merging(attributes) { _, new in new }
                    status = SecItemAdd(new as CFDictionary, nil)
                }
                guard status == errSecSuccess else { throw KeychainError(status: status) }
            }
        }

        public func clear() async throws {
            try await queue.run { [item] in
                let status = SecItemDelete(item as CFDictionary)
                guard status == errSecSuccess || status == errSecItemNotFound else {
                    throw KeychainError(status: status)
                }
            }
        }

        public func lock() async throws { try await fileLock.lock() }

        public func unlock() throws { fileLock.unlock() }

        private var item: [CFString: Any] {
            var item: [CFString: Any] = [
                kSecClass: kSecClassGenericPassword,
                kSecAttrService: service,
                kSecAttrAccount: account,
                kSecAttrSynchronizable: false,
                // On macOS, use the iOS-style Keychain.
                kSecUseDataProtectionKeychain: true,
            ]
            item[kSecAttrAccessGroup] = accessGroup
            return item
        }
    }

    /// A failed Keychain call.
    struct KeychainError: Error, CustomStringConvertible {
        let status: OSStatus
        var description: String { "Keychain error \(status)" }
    }

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
