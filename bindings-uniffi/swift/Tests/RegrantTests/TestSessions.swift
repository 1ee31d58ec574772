import Foundation

import Regrant

/// The lifetime of the access tokens.
let lifetime: TimeInterval = 900

/// A pair issued at `instant`, told apart by its number.
func pair(_ number: Int, at instant: Date) -> (access: String, refresh: String) {
    let iat = Int(instant.timeIntervalSince1970)
    let access = hs256(#"{"sub":"u","n":\#(number),"iat":\#(iat),"exp":\#(iat + Int(lifetime))}"#)
    return (access, "refresh-\(number)")
}

/// A server that grants every refresh, or sends scripted responses.
final class ScriptedTransport: Transport, @unchecked Sendable {
    typealias Answer = @Sendable () async throws -> HttpResponse

    private let lock = NSLock()
    private let clock: ManualClock
    private var asked: [HttpRequest] = []
    private var script: [Answer] = []

    init(_ clock: ManualClock) { self.clock = clock }

    var requests: [HttpRequest] { lock.withLock { asked } }

    /// Appends a response to the script.
    func next(_ answer: @escaping Answer) { lock.withLock { script.append(answer) } }

    func next(status: UInt16, _ body: String) {
        next { HttpResponse(status: status, headers: [], body: Data(body.utf8)) }
    }

    func send(request: HttpRequest) async throws -> HttpResponse {
        let (number, answer) = lock.withLock {
            asked.append(request)
            return (asked.count, script.isEmpty ? nil : script.removeFirst())
        }
        if let answer { return try await answer() }
        return renewed(number)
    }

    func renewed(_ number: Int) -> HttpResponse {
        let (access, refresh) = pair(number, at: clock.now())
        let body = #"{"accessToken":"\#(access)","refreshToken":"\#(refresh)"}"#
        return HttpResponse(status: 200, headers: [], body: Data(body.utf8))
    }
}

/// A session over a scripted server, an in-memory storage and a manual clock.
struct SessionFixture {
    let clock = ManualClock(now)
    let transport: ScriptedTransport
    let storage = inMemoryStorage()
    let session: Session

    init(logger: SessionLogger? = nil, proofKey: ProofKey? = nil) throws {
        transport = ScriptedTransport(clock)
        let config = SessionConfig(
            endpoint: RefreshEndpoint(url: "https://server.example/auth/refresh"),
            initialBackoff: 0.01, renewCooldown: 0)
        session = try Session(
            config: config, transport: transport, storage: storage, logger: logger, clock: clock,
            proofKey: proofKey)
    }

    /// Signs in; returns the access token.
    @discardableResult
    func signIn() async throws -> String {
        let (access, refresh) = pair(0, at: clock.now())
        try await session.signIn(pair: TokenPair(accessToken: access, refreshToken: refresh))
        return access
    }
}

/// A pair whose access token is bound to `key`.
func boundPair(_ key: ProofKey) throws -> (access: String, pair: TokenPair) {
    let iat = Int(now.timeIntervalSince1970)
    let jkt = try thumbprintOf(key: key)
    let access = hs256(#"{"sub":"u","iat":\#(iat),"exp":\#(iat + 900),"cnf":{"jkt":"\#(jkt)"}}"#)
    return (access, TokenPair(accessToken: access, refreshToken: "refresh"))
}

/// A key of a device that is locked until `unlock`, and deleted from `lose` on.
final class LockedKey: ProofKey, @unchecked Sendable {
    private let key: ProofKey
    private let guarded = NSLock()
    private var isLocked = true
    private var isLost = false

    init(_ key: ProofKey) { self.key = key }

    func lose() { guarded.withLock { isLost = true } }

    func unlock() { guarded.withLock { isLocked = false } }

    func publicKey() throws -> Data { try key.publicKey() }

    func sign(message: Data) throws -> Data {
        guard !guarded.withLock({ isLost }) else { throw CallbackError.Lost(reason: "it was deleted") }
        guard !guarded.withLock({ isLocked }) else { throw CallbackError.Failed(reason: "locked") }
        return try key.sign(message: message)
    }
}

/// Not a P-256 key.
final class InvalidKey: ProofKey {
    func publicKey() throws -> Data { Data(count: 65) }
    func sign(message: Data) throws -> Data { message }
}

/// Opened once; tasks wait until then.
actor Gate {
    private var isOpen = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func pass() async {
        if !isOpen { await withCheckedContinuation { waiting.append($0) } }
    }

    func open() {
        isOpen = true
        waiting.forEach { $0.resume() }
        waiting = []
    }
}
