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
        private let lockFile: FileLock
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
            self.lockFile = FileLock(path: (lockFile ?? own).path)
        }

        public func read() async throws -> Data? {
            try await onQueue { [item] in
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
                // On macOS, use the iOS-style Keychain.
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

    /// A failed Keychain call.
    struct KeychainError: Error, CustomStringConvertible {
        let status: OSStatus
        var description: String { "Keychain error \(status)" }
    }
#endif
