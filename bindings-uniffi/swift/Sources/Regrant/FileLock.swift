import Foundation

/// A lock that processes of one machine share, by a file that they all can open. The system releases
/// it when the process ends, however it ends.
final class FileLock: @unchecked Sendable {
    /// How long to wait before the lock is tried again.
    private static let pause: UInt64 = 10_000_000

    private let path: String
    private let guarded = NSLock()
    private var held: Int32?

    init(path: String) { self.path = path }

    /// Takes the lock, which others may hold: also this process, by another `FileLock`.
    func lock() async throws {
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw FileError("open a lock") }
        do {
            while flock(file, LOCK_EX | LOCK_NB) != 0 {
                guard errno == EWOULDBLOCK || errno == EINTR else { throw FileError("lock") }
                try await Task.sleep(nanoseconds: Self.pause)
            }
        } catch {
            close(file)
            throw error
        }
        guarded.withLock { held = file }
    }

    /// Releases it.
    func unlock() {
        let file = guarded.withLock {
            defer { held = nil }
            return held
        }
        if let file { close(file) }
    }
}

/// What the system answered. It names neither the file nor what is in it.
struct FileError: Error, CustomStringConvertible {
    let description: String

    /// To be made before anything else is called: it reads `errno`.
    init(_ what: String) {
        description = "cannot \(what): \(String(cString: strerror(errno)))"
    }
}
