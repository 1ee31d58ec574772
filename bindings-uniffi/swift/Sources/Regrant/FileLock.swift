import Foundation

/// A lock between the processes of one machine, on a file. The system releases it when the process
/// ends, even if it is killed.
final class FileLock: @unchecked Sendable {
    /// How long to wait before trying the lock again, in nanoseconds.
    private static let retryDelay: UInt64 = 10_000_000

    private let path: String
    private let guarded = NSLock()
    private var held: Int32?

    init(path: String) { self.path = path }

    /// Takes the lock, waiting while another process or another `FileLock` holds it.
    func lock() async throws {
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw FileError("open a lock") }
        do {
            while flock(file, LOCK_EX | LOCK_NB) != 0 {
                guard errno == EWOULDBLOCK || errno == EINTR else { throw FileError("lock") }
                try await Task.sleep(nanoseconds: Self.retryDelay)
            }
        } catch {
            close(file)
            throw error
        }
        guarded.withLock { held = file }
    }

    /// Releases the lock.
    func unlock() {
        let file = guarded.withLock {
            defer { held = nil }
            return held
        }
        if let file { close(file) }
    }
}

/// A failed system call. Contains neither the path nor the content of the file.
struct FileError: Error, CustomStringConvertible {
    let description: String

    /// Reads `errno`, so create it right after the failed call.
    init(_ what: String) {
        description = "cannot \(what): \(String(cString: strerror(errno)))"
    }
}
