import Foundation

/// A storage in a file that only its owner can read. Writes replace the file atomically; a lock file
/// beside it (`.lock`) serializes the processes of this machine. The folder must exist, on a local
/// file system.
///
/// The tokens are not encrypted: for Linux, tests and tools. On Apple platforms use
/// `KeychainStorage`.
public final class FileStorage: TokenStorage {
    private let path: String
    private let lockFile: FileLock
    /// Runs blocking file I/O outside Swift's cooperative thread pool.
    private let queue = DispatchQueue(label: "regrant.file-storage")

    /// A storage in the file at `path`. The file need not exist.
    public init(path: String) {
        self.path = path
        lockFile = FileLock(path: path + ".lock")
    }

    public func read() async throws -> Data? {
        try await onQueue { [path] in
            let file = open(path, O_RDONLY | O_CLOEXEC)
            if file < 0, errno == ENOENT { return nil }
            guard file >= 0 else { throw FileError("open the token storage") }
            return try FileHandle(fileDescriptor: file, closeOnDealloc: true).readToEnd() ?? Data()
        }
    }

    public func write(value: Data) async throws {
        try await onQueue { [path] in
            let next = path + ".next"
            let file = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            guard file >= 0 else { throw FileError("open the next token storage") }
            let handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
            try handle.write(contentsOf: value)
            guard fsync(file) == 0 else { throw FileError("sync the next token storage") }
            try handle.close()
            guard rename(next, path) == 0 else { throw FileError("replace the token storage") }
            try syncFolder(of: path)
        }
    }

    public func clear() async throws {
        try await onQueue { [path] in
            if unlink(path) == 0 { return try syncFolder(of: path) }
            guard errno == ENOENT else { throw FileError("remove the token storage") }
        }
    }

    public func lock() async throws { try await lockFile.lock() }

    public func unlock() throws { lockFile.unlock() }

    private func onQueue<T: Sendable>(_ work: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result(catching: work)) }
        }
    }
}

/// A renamed file survives a power failure only if its folder is synced too.
private func syncFolder(of path: String) throws {
    let folder = open((path as NSString).deletingLastPathComponent.orCurrentFolder, O_RDONLY | O_CLOEXEC)
    guard folder >= 0 else { throw FileError("open the folder of the token storage") }
    defer { close(folder) }
    guard fsync(folder) == 0 else { throw FileError("sync the folder of the token storage") }
}

extension String {
    /// `.` for the empty folder of a path without a slash.
    fileprivate var orCurrentFolder: String { isEmpty ? "." : self }
}
