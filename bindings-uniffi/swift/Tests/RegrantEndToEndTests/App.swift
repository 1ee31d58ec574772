import Foundation
import Regrant
import XCTest

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// A process of an app: a session over a file, and calls with its tokens.
struct App: Sendable {
    let session: Session
    private let me: URL
    private let http = URLSession(configuration: .ephemeral)

    /// Starts the app over the file `session` in `folder`, on a device with a wrong clock.
    init(_ proxy: FaultProxy, _ folder: URL, clockOff: TimeInterval = 0, key: ProofKey? = nil) throws {
        let url = proxy.url.appendingPathComponent("mobile/refresh").absoluteString
        // Tokens live for seconds here, so refresh late and keep the backoff short. A disk that is busy with
        // other things takes seconds to write a small file durably.
        let config = SessionConfig(
            endpoint: RefreshEndpoint(url: url), minTtl: 0.1, storageTimeout: 60, initialBackoff: 0.05,
            maxBackoff: 1, persistTimeout: 60)
        session = try Session(
            config: config, transport: URLSessionTransport(), storage: FileStorage(path: path(folder)),
            clock: WrongClock(off: clockOff), proofKey: key)
        me = proxy.url.appendingPathComponent("api/me")
    }

    /// Makes a call; returns the status.
    func call() async throws -> Int { try await session.data(from: me, over: http).1.statusCode }

    /// Makes a call and retries it while the advice is to retry; returns the number of retries.
    func callUntilAnswered() async throws -> (status: Int, again: Int) {
        for again in 0... {
            do {
                return (try await call(), again)
            } catch let refusal as RegrantError where refusal.advice == .retry {
                try await sleep(max(refusal.retryAfter ?? 0, 0.01))
            }
        }
        fatalError("the loop ends with an answer")
    }

    /// Renews the access token even if it is still valid.
    func renew() async throws {
        let token = try await session.accessToken()
        _ = try await session.renew(rejected: token)
    }
}

/// A clock that is off by a constant.
final class WrongClock: Clock {
    private let off: TimeInterval
    init(off: TimeInterval) { self.off = off }
    func now() -> Date { Date() + off }
}

func path(_ folder: URL) -> String { folder.appendingPathComponent("session").path }

/// Makes concurrent calls, all of which must succeed.
func callsAtOnce(_ app: App, _ count: Int) async throws {
    try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 0..<count { group.addTask { try await app.call() } }
        for try await status in group { XCTAssertEqual(status, 200) }
    }
}
