#if canImport(Security)
    import CryptoKit
    import Foundation
    import Security

    /// Stores the tokens as one Keychain item. It is readable after the first unlock of the device,
    /// never synchronised, and never restored to another device.
    ///
    /// The item survives the removal of the app. For a new installation to start signed out, call
    /// `clear()` on its first start.
    ///
    /// Throws `CallbackError.Lost` for an item that can never be decrypted again (`errSecDecode`): the
    /// user must sign in, which replaces it. Throws `KeychainError` for anything else, which may pass,
    /// for example `errSecInteractionNotAllowed` before the first unlock: the user stays signed in.
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
        /// refreshing at the same time. Without `lockFile` the lock covers only processes that share
        /// this temporary folder.
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
            fileLock = FileLock(file: lockFile, orNamed: "session\n\(service)\n\(account)")
        }

        public func read() async throws -> Data? {
            try await run { [itemQuery] in
                var query = itemQuery
                query[kSecReturnData] = true
                query[kSecMatchLimit] = kSecMatchLimitOne
                // Any error but "not found" is thrown: the user must stay signed in.
                guard let found = try item(matching: query) else { return nil }
                guard let data = found as? Data else {
                    throw KeychainError(status: errSecInternalComponent)
                }
                return data
            }
        }

        public func write(value: Data) async throws {
            try await run { [itemQuery] in
                let attributes: [CFString: Any] = [
                    kSecValueData: value,
                    kSecAttrAccessible: kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly,
                ]
                var status = SecItemUpdate(itemQuery as CFDictionary, attributes as CFDictionary)
                if status == errSecItemNotFound {
                    let item = itemQuery.merging(attributes) { _, new in new }
                    status = SecItemAdd(item as CFDictionary, nil)
                }
                guard status == errSecSuccess else { throw KeychainError(status: status) }
            }
        }

        public func clear() async throws {
            try await queue.run { [itemQuery] in try deleteItem(matching: itemQuery) }
        }

        public func lock() async throws { try await fileLock.lock() }

        public func unlock() throws { fileLock.unlock() }

        /// The result of `work` with the item.
        private func run<T>(_ work: @escaping () throws -> T) async throws -> T {
            do {
                return try await queue.run(work)
            } catch let error as KeychainError where error.isLost {
                throw CallbackError.Lost(reason: error.description)
            }
        }

        private var itemQuery: [CFString: Any] {
            var query: [CFString: Any] = [
                kSecClass: kSecClassGenericPassword,
                kSecAttrService: service,
                kSecAttrAccount: account,
                kSecAttrSynchronizable: false,
                // On macOS, use the iOS-style Keychain.
                kSecUseDataProtectionKeychain: true,
            ]
            query[kSecAttrAccessGroup] = accessGroup
            return query
        }
    }

    /// A P-256 key in the Secure Enclave to bind the tokens of a session to (DPoP, RFC 9449). It never
    /// leaves the device, so copied tokens are useless. Usable after the first unlock of the device.
    ///
    /// It survives the removal of the app, as the tokens in the Keychain do: see `delete(name:)`.
    ///
    /// Throws `KeychainError`.
    public final class SecureEnclaveKey: ProofKey, @unchecked Sendable {
        // `SecKey` may be used on any thread.
        private let key: SecKey
        /// Runs Keychain calls, which may block.
        private static let queue = DispatchQueue(label: "regrant.secure-enclave-key")

        /// Whether the device has a Secure Enclave. The simulator on an old Mac has none: then use
        /// `softwareProofKey(storage:)` over a `KeychainStorage` of its own.
        public static var isAvailable: Bool { SecureEnclave.isAvailable }

        /// Loads the key named `name`, or creates one. An app and extensions that share a session must
        /// share `accessGroup`, the Keychain group of the key, and `lockFile`, a file in their app
        /// group's container that prevents them from creating two keys of one name. Without
        /// `lockFile` the lock covers only processes that share this temporary folder.
        ///
        /// A key that can never be decrypted again (`errSecDecode`) is replaced: the tokens that are
        /// bound to it are useless.
        ///
        /// Throws `KeychainError.noSecureEnclave` unless `isAvailable`. Any other error leaves an
        /// existing key as it is, for example `errSecInteractionNotAllowed` before the first unlock of
        /// the device: try again later. Do not use another key instead: the tokens are bound to this
        /// one, and the user would be signed out.
        public init(name: String, accessGroup: String? = nil, lockFile: URL? = nil) async throws {
            guard SecureEnclaveKey.isAvailable else { throw KeychainError.noSecureEnclave }
            let lock = FileLock(file: lockFile, orNamed: "key\n\(name)")
            try await lock.lock()
            defer { lock.unlock() }
            key = try await SecureEnclaveKey.queue.run {
                try SecureEnclaveKey.loadOrCreate(name: name, accessGroup: accessGroup)
            }
        }

        /// Deletes the key named `name`, if there is one. Tokens that are bound to it cannot be used
        /// any more: sign out first.
        public static func delete(name: String, accessGroup: String? = nil) async throws {
            try await queue.run {
                try deleteItem(matching: keyQuery(name: name, accessGroup: accessGroup))
            }
        }

        private static func loadOrCreate(name: String, accessGroup: String?) throws -> SecKey {
            var query = keyQuery(name: name, accessGroup: accessGroup)
            query[kSecReturnRef] = true
            do {
                // The query matches keys only.
                if let found = try item(matching: query) { return found as! SecKey }
            } catch let error as KeychainError where error.isLost {
                try deleteItem(matching: keyQuery(name: name, accessGroup: accessGroup))
            }
            return try create(name: name, accessGroup: accessGroup)
        }

        private static func create(name: String, accessGroup: String?) throws -> SecKey {
            var failure: Unmanaged<CFError>?
            let access = SecAccessControlCreateWithFlags(
                nil, kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly, .privateKeyUsage, &failure)
            guard let access else { throw KeychainError(failure) }
            var privateKeyAttributes: [CFString: Any] = [
                kSecAttrIsPermanent: true,
                kSecAttrApplicationTag: Data(name.utf8),
                kSecAttrAccessControl: access,
            ]
            privateKeyAttributes[kSecAttrAccessGroup] = accessGroup
            let attributes: [CFString: Any] = [
                kSecAttrKeyType: kSecAttrKeyTypeECSECPrimeRandom,
                kSecAttrKeySizeInBits: 256,
                kSecAttrTokenID: kSecAttrTokenIDSecureEnclave,
                kSecUseDataProtectionKeychain: true,
                kSecPrivateKeyAttrs: privateKeyAttributes,
            ]
            let key = SecKeyCreateRandomKey(attributes as CFDictionary, &failure)
            guard let key else { throw KeychainError(failure) }
            return key
        }

        /// Matches the private key of this name in the Secure Enclave, and no other key of the app with
        /// the same tag.
        private static func keyQuery(name: String, accessGroup: String?) -> [CFString: Any] {
            var query: [CFString: Any] = [
                kSecClass: kSecClassKey,
                kSecAttrKeyClass: kSecAttrKeyClassPrivate,
                kSecAttrKeyType: kSecAttrKeyTypeECSECPrimeRandom,
                kSecAttrTokenID: kSecAttrTokenIDSecureEnclave,
                kSecAttrApplicationTag: Data(name.utf8),
                kSecUseDataProtectionKeychain: true,
            ]
            query[kSecAttrAccessGroup] = accessGroup
            return query
        }

        /// The uncompressed point of the public key (SEC 1 §2.3.3): 65 bytes, the first of them 4.
        public func publicKey() throws -> Data {
            var failure: Unmanaged<CFError>?
            guard let publicKey = SecKeyCopyPublicKey(key) else {
                throw KeychainError(status: errSecInternalComponent)
            }
            let point = SecKeyCopyExternalRepresentation(publicKey, &failure)
            guard let point else { throw KeychainError(failure) }
            return point as Data
        }

        /// The ECDSA signature of `message` with SHA-256, in DER.
        ///
        /// Throws `CallbackError.Lost` if the key was deleted or can never be decrypted again.
        public func sign(message: Data) throws -> Data {
            var failure: Unmanaged<CFError>?
            let signature = SecKeyCreateSignature(
                key, .ecdsaSignatureMessageX962SHA256, message as CFData, &failure)
            guard let signature else {
                let error = KeychainError(failure)
                guard error.isLost || error.status == errSecItemNotFound else { throw error }
                throw CallbackError.Lost(reason: error.description)
            }
            return signature as Data
        }
    }

    /// Why the Keychain or the Secure Enclave could not be used.
    public enum KeychainError: Error, Equatable {
        /// The device has no Secure Enclave: see `SecureEnclaveKey.isAvailable`.
        case noSecureEnclave
        /// A call failed: `code` is an `OSStatus` if `domain` is `NSOSStatusErrorDomain`.
        case failed(code: Int, domain: String)

        init(status: OSStatus) {
            self = .failed(code: Int(status), domain: NSOSStatusErrorDomain)
        }

        /// From the error that a function has returned beside `nil`.
        init(_ returned: Unmanaged<CFError>?) {
            guard let error = returned?.takeRetainedValue() else {
                self.init(status: errSecInternalComponent)
                return
            }
            self = .failed(code: CFErrorGetCode(error), domain: CFErrorGetDomain(error) as String)
        }

        /// The status of a failed call, for example `errSecInteractionNotAllowed` before the first
        /// unlock of the device; `nil` if the error is none of the Keychain's.
        public var status: OSStatus? {
            guard case .failed(let code, NSOSStatusErrorDomain) = self else { return nil }
            return OSStatus(exactly: code)
        }

        /// Whether the item exists and can never be decrypted again: Apple's own code drops such an item.
        /// All other errors may pass. That includes `errSecMissingEntitlement`, which iOS returns at
        /// times without a reason, and `errSecNotAvailable` and `errSecAuthFailed`, which depend on the
        /// state of the device.
        var isLost: Bool { status == errSecDecode }
    }

    extension KeychainError: CustomStringConvertible, LocalizedError {
        /// For developers: the domain and the code.
        public var description: String {
            switch self {
            case .noSecureEnclave: "The device has no Secure Enclave"
            case .failed(let code, let domain): "The Keychain failed: \(domain) \(code)"
            }
        }

        /// See `description`.
        public var errorDescription: String? { description }
    }

    /// The item that `query` matches, if any.
    private func item(matching query: [CFString: Any]) throws -> CFTypeRef? {
        var found: CFTypeRef?
        let status = SecItemCopyMatching(query as CFDictionary, &found)
        if status == errSecItemNotFound { return nil }
        guard status == errSecSuccess, let found else { throw KeychainError(status: status) }
        return found
    }

    /// Deletes the item that `query` matches, if any.
    private func deleteItem(matching query: [CFString: Any]) throws {
        let status = SecItemDelete(query as CFDictionary)
        guard status == errSecSuccess || status == errSecItemNotFound else {
            throw KeychainError(status: status)
        }
    }

    extension FileLock {
        /// The lock in `file`, or in one of the temporary folder that belongs to `name`.
        fileprivate convenience init(file: URL?, orNamed name: String) {
            // Hashed: any name fits in the name of a file.
            let hash = SHA256.hash(data: Data(name.utf8)).map { String(format: "%02x", $0) }.joined()
            let defaultLockFile = FileManager.default.temporaryDirectory
                .appendingPathComponent("regrant-\(hash).lock")
            self.init(path: (file ?? defaultLockFile).path)
        }
    }
#endif
