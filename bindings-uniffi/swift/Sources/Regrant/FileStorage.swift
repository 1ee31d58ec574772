import Foundation

/// A storage in a file that only its owner can read. Writes replace the file atomically; a lock file
/// beside it (`.lock`) serializes the processes of this machine. The folder must exist, on a local
/// file system.
///
/// The tokens are not encrypted: for Linux, tests and tools. On Apple platforms use
/// `KeychainStorage`.
public final class FileStorage: TokenStorage {
    private let file: DurableFile
    private let fileLock: FileLock
    /// Runs blocking file I/O outside Swift's cooperative thread pool.
    private let queue = DispatchQueue(label: "regrant.file-storage")

    /// A storage in the file at `path`. The file need not exist.
    public init(path: String) {
        file = DurableFile(path: path)
        fileLock = FileLock(path: path + ".lock")
    }

    public func read() async throws -> Data? {
        try await queue.run { [file] in try file.read() }
    }

    public func write(value: Data) async throws {
        try await queue.run { [file] in try file.replace(content: value) }
    }

    public func clear() async throws {
        try await queue.run { [file] in try file.remove() }
    }

    public func lock() async throws { try await fileLock.lock() }

    public func unlock() throws { fileLock.unlock() }
}

extension FileLock {
    /// How long to wait before trying the lock again, in nanoseconds.
    private static let retryDelay: UInt64 = 10_000_000

    /// Takes the lock, waiting while it is held elsewhere. Not held if the task is cancelled.
    func lock() async throws {
        while try !tryLock() { try await Task.sleep(nanoseconds: Self.retryDelay) }
    }
}

extension DispatchQueue {
    /// The result of `work`, which may block.
    func run<T>(_ work: @escaping () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            self.async { continuation.resume(with: Result(catching: work)) }
        }
    }
}
