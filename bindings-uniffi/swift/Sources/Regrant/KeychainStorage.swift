#if canImport(Security)
    import Foundation
    import Security

    /// The tokens as one item of the Keychain, readable since the first unlock after a start of the
    /// device, never synchronised and never in a backup for another device.
    ///
    /// An item outlives the removal of the app. Whoever wants a new installation to begin signed out
    /// calls `clear()` on the first start.
    public final class KeychainStorage: TokenStorage {
        private let service: String
        private let account: String
        private let accessGroup: String?
        private let lockFile: FileLock
        /// Where the Keychain is asked, which may wait for another process.
        private let queue = DispatchQueue(label: "regrant.keychain-storage")

        /// The item `account` of `service`.
        ///
        /// An app and its extensions that share a session share two things: `accessGroup`, the
        /// Keychain group in which the item is, and `lockFile`, a file in the container of their app
        /// group by which they keep each other from refreshing at once. Without `lockFile` only this
        /// process is kept from that.
        ///
        /// iOS ends an app that is suspended while it holds a lock in a shared container
        /// (`0xDEAD10CC`): ask for a background task (`beginBackgroundTask`) for as long as calls
        /// are under way.
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
            self.lockFile = FileLock(path: (lockFile ?? own).path)
        }

        public func read() async throws -> Data? {
            try await onQueue { [item] in
                var query = item
                query[kSecReturnData] = true
                query[kSecMatchLimit] = kSecMatchLimitOne
                var found: CFTypeRef?
                let status = SecItemCopyMatching(query as CFDictionary, &found)
                // Nothing else means that nothing is there: before the first unlock, for example, it
                // is `errSecInteractionNotAllowed`, and the user is to stay signed in.
                if status == errSecItemNotFound { return nil }
                guard status == errSecSuccess, let data = found as? Data else {
                    throw KeychainError(status: status)
                }
                return data
            }
        }

        public func write(value: Data) async throws {
            try await onQueue { [item] in
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
            try await onQueue { [item] in
                let status = SecItemDelete(item as CFDictionary)
                guard status == errSecSuccess || status == errSecItemNotFound else {
                    throw KeychainError(status: status)
                }
            }
        }

        public func lock() async throws { try await lockFile.lock() }

        public func unlock() throws { lockFile.unlock() }

        private var item: [CFString: Any] {
            var item: [CFString: Any] = [
                kSecClass: kSecClassGenericPassword,
                kSecAttrService: service,
                kSecAttrAccount: account,
                kSecAttrSynchronizable: false,
                // On a Mac: the Keychain that iOS has.
                kSecUseDataProtectionKeychain: true,
            ]
            item[kSecAttrAccessGroup] = accessGroup
            return item
        }

        private func onQueue<T>(_ work: @escaping () throws -> T) async throws -> T {
            try await withCheckedThrowingContinuation { continuation in
                queue.async { continuation.resume(with: Result(catching: work)) }
            }
        }
    }

    /// What the Keychain answered.
    struct KeychainError: Error, CustomStringConvertible {
        let status: OSStatus
        var description: String { "the Keychain answered \(status)" }
    }
#endif
