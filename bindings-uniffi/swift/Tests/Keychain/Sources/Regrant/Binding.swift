import Foundation

// What `Keychain.swift` and `FileStorage.swift` use of the generated binding.

public protocol TokenStorage: AnyObject, Sendable {
    func read() async throws -> Data?
    func write(value: Data) async throws
    func clear() async throws
    func lock() async throws
    func unlock() throws
}

public protocol ProofKey: AnyObject, Sendable {
    func publicKey() throws -> Data
    func sign(message: Data) throws -> Data
}

public enum CallbackError: Error, Equatable {
    case Failed(reason: String)
    case Lost(reason: String)
}

open class FileLock: @unchecked Sendable {
    public let path: String
    /// The paths of all locks that were made.
    public static var paths: [String] = []

    public init(path: String) {
        self.path = path
        Self.paths.append(path)
    }

    open func tryLock() throws -> Bool { true }
    open func unlock() {}
}

open class DurableFile: @unchecked Sendable {
    public init(path: String) {}
    open func read() throws -> Data? { nil }
    open func replace(content: Data) throws {}
    open func remove() throws {}
}
