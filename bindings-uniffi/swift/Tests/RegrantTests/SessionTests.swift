import Foundation
import XCTest

import Regrant

private let url = URL(string: "https://server.example/me")!
private let accepted = HttpResponse(status: 200, headers: [], body: Data())

final class SessionTests: XCTestCase {
    /// As on a locked device: nobody is signed out.
    func testAnUnavailableKeyIsATransientError() async throws {
        let key = LockedKey(try await softwareProofKey(storage: inMemoryStorage()))
        let fixture = try SessionFixture(proofKey: key)
        let (access, pair) = try boundPair(key)
        try await fixture.session.signIn(pair: pair)
        do {
            _ = try await fixture.session.attempt(method: "GET", url: url.absoluteString)
            XCTFail("the key is locked")
        } catch let refusal as RegrantError {
            XCTAssertEqual(refusal.advice, .retry)
            XCTAssertEqual(refusal.code, "ERR_STORE_UNAVAILABLE")
        }
        key.unlock()
        let headers = try await fixture.session.attempt(method: "GET", url: url.absoluteString)
            .headers()
        XCTAssertEqual(headers.map(\.name), ["authorization", "dpop"])
        XCTAssertEqual(headers.first?.value, "DPoP \(access)")
        let claims = try decodeUnverified(token: headers[1].value).claims
        XCTAssertEqual(claims["htm"]?.stringValue, "GET")
        XCTAssertEqual(claims["htu"]?.stringValue, url.absoluteString)
        XCTAssertEqual(fixture.session.state(), .signedIn)
    }

    /// As after the device has deleted it: a session with a new key signs in.
    func testAKeyThatIsLostForGoodSignsOut() async throws {
        let key = LockedKey(try await softwareProofKey(storage: inMemoryStorage()))
        let fixture = try SessionFixture(proofKey: key)
        try await fixture.session.signIn(pair: boundPair(key).pair)
        key.lose()
        do {
            _ = try await fixture.session.attempt(method: "GET", url: url.absoluteString)
            XCTFail("the key is lost")
        } catch let refusal as RegrantError {
            XCTAssertEqual(refusal.signOut, .keyLost)
            XCTAssertEqual(refusal.advice, .signIn)
        }
        XCTAssertEqual(fixture.session.state(), .signedOut(reason: .keyLost))
        // They are removed in the background.
        var (stored, looks) = (try await fixture.storage.read(), 0)
        while stored != nil && looks < 1_000 {
            try await Task.sleep(nanoseconds: 10_000_000)
            (stored, looks) = (try await fixture.storage.read(), looks + 1)
        }
        XCTAssertNil(stored)
    }

    /// The session could not use it.
    func testAPairBoundToAnotherKeyIsNotStored() async throws {
        let key = try await softwareProofKey(storage: inMemoryStorage())
        let fixture = try SessionFixture()
        do {
            try await fixture.session.signIn(pair: boundPair(key).pair)
            XCTFail("it is of no use")
        } catch let refusal as RegrantError {
            XCTAssertEqual(refusal.signOut, .otherKey)
        }
        let stored = try await fixture.storage.read()
        XCTAssertNil(stored)
    }

    /// A rejected proof is replaced by a new proof, not by a new token. Any response may contain a
    /// nonce for the next proof.
    func testARejectedProofIsReplaced() async throws {
        let key = try await softwareProofKey(storage: inMemoryStorage())
        let fixture = try SessionFixture(proofKey: key)
        let (access, pair) = try boundPair(key)
        try await fixture.session.signIn(pair: pair)
        let challenge = HttpHeader(name: "WWW-Authenticate", value: #"DPoP error="use_dpop_nonce""#)
        let nonce = { HttpHeader(name: "DPoP-Nonce", value: $0) }
        var answers = [
            HttpResponse(status: 401, headers: [challenge, nonce("first")], body: Data()),
            HttpResponse(status: 200, headers: [nonce("next")], body: Data()),
            HttpResponse(status: 200, headers: [], body: Data()),
        ]
        var seen: [[HttpHeader]] = []
        for _ in 0..<2 {
            let answer = try await fixture.session.authorize(method: "GET", url: url) { headers in
                seen.append(headers)
                return answers.removeFirst()
            } head: { $0 }
            XCTAssertEqual(answer.status, 200)
        }
        XCTAssertEqual(seen.map { $0[0].value }, Array(repeating: "DPoP \(access)", count: 3))
        let nonces = try seen.map { try decodeUnverified(token: $0[1].value).claims["nonce"]?.stringValue }
        XCTAssertEqual(nonces, [nil, "first", "next"])
        XCTAssertTrue(fixture.transport.requests.isEmpty)
    }

    func testAnInvalidKeyIsRejectedAtOnce() throws {
        XCTAssertThrowsError(try SessionFixture(proofKey: InvalidKey())) {
            XCTAssertEqual(($0 as? RegrantError)?.field, "proofKey")
        }
    }

    func testCallersShareOneRefresh() async throws {
        let fixture = try SessionFixture()
        let first = try await fixture.signIn()
        for expiry in 0..<3 {
            let session = fixture.session
            let tokens = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<100 { group.addTask { try await session.accessToken() } }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            XCTAssertEqual(tokens.count, 1)
            XCTAssertEqual(tokens.contains(first), expiry == 0)
            XCTAssertEqual(fixture.transport.requests.count, expiry)
            fixture.clock.advance(lifetime)
        }
    }

    func testTheRefreshRequestHasTheJsonShape() async throws {
        let fixture = try SessionFixture()
        try await fixture.signIn()
        fixture.clock.advance(lifetime)
        _ = try await fixture.session.accessToken()
        let request = try XCTUnwrap(fixture.transport.requests.first)
        XCTAssertEqual(request.method, "POST")
        XCTAssertEqual(request.url, "https://server.example/auth/refresh")
        XCTAssertEqual(String(decoding: request.body, as: UTF8.self), #"{"refreshToken":"refresh-0"}"#)
    }

    func testTheStateIsAStream() async throws {
        let fixture = try SessionFixture()
        var states = fixture.session.states.makeAsyncIterator()
        try await fixture.signIn()
        var state = await states.next()
        // Before the storage was read, and before the sign-in.
        while state == .unknown || state == .signedOut(reason: .notSignedIn) {
            state = await states.next()
        }
        XCTAssertEqual(state, .signedIn)
        _ = try await fixture.session.signOut()
        state = await states.next()
        XCTAssertEqual(state, .signedOut(reason: .byUser))
        XCTAssertEqual(fixture.session.state(), .signedOut(reason: .byUser))
    }

    func testTheStreamEndsWithItsTask() async throws {
        let fixture = try SessionFixture()
        let session = fixture.session
        let gate = Gate()
        let reader = Task {
            for await _ in session.states { await gate.open() }
        }
        await gate.pass()
        reader.cancel()
        await reader.value
    }

    func testARejectedTokenIsReplacedOnce() async throws {
        let fixture = try SessionFixture()
        let first = try await fixture.signIn()
        var sent: [String] = []
        let status = try await authorize(fixture.session) { token in
            sent.append(token)
            return token == "Bearer \(first)" ? 401 : 200
        }
        XCTAssertEqual(status, 200)
        XCTAssertEqual(sent.count, 2)
        XCTAssertEqual(fixture.transport.requests.count, 1)

        sent = []
        let rejected = try await authorize(fixture.session) { token in
            sent.append(token)
            return 401
        }
        XCTAssertEqual(rejected, 401)
        XCTAssertEqual(sent.count, 2)
    }

    /// The next request has a new token.
    func testABodyThatCannotBeSentAgainIsNotSentTwice() async throws {
        let fixture = try SessionFixture()
        let first = try await fixture.signIn()
        for expected: UInt16 in [401, 200] {
            var sent = 0
            let answer = try await fixture.session.authorize(
                method: "POST", url: url, isRepeatable: false
            ) { headers in
                sent += 1
                let isFirst = headers[0].value == "Bearer \(first)"
                return HttpResponse(status: isFirst ? 401 : 200, headers: [], body: Data())
            } head: { $0 }
            XCTAssertEqual(answer.status, expected)
            XCTAssertEqual(sent, 1)
        }
        XCTAssertEqual(fixture.transport.requests.count, 1)
    }

    func testAnAnswerOfAnotherServerIsNotAboutTheToken() async throws {
        let fixture = try SessionFixture()
        try await fixture.signIn()
        let answer = try await fixture.session.authorize(method: "GET", url: url) { _ in
            HttpResponse(status: 401, headers: [], body: Data())
        } head: { $0 } from: { _ in URL(string: "https://other.example/me") }
        XCTAssertEqual(answer.status, 401)
        XCTAssertTrue(fixture.transport.requests.isEmpty)
    }

    private func authorize(
        _ session: Session, _ send: (String) async throws -> UInt16
    ) async throws -> UInt16 {
        try await session.authorize(method: "POST", url: url) { headers in
            try await send(headers[0].value)
        } head: {
            HttpResponse(status: $0, headers: [], body: Data())
        }
    }

    func testAuthorizeKeepsTheCallersIsolation() async throws { try await authorizeOnTheMainActor() }

    func testACancelledCallerDoesNotCancelTheRefresh() async throws {
        let fixture = try SessionFixture()
        try await fixture.signIn()
        fixture.clock.advance(lifetime)
        let (asked, answered) = (Gate(), Gate())
        let transport = fixture.transport
        transport.next {
            await asked.open()
            await answered.pass()
            return transport.renewed(7)
        }
        let session = fixture.session
        let call = Task {
            try await session.authorize(method: "GET", url: url) { $0 } head: { _ in accepted }
        }
        await asked.pass()
        call.cancel()
        let outcome = await call.result
        XCTAssertThrowsError(try outcome.get()) { XCTAssertTrue($0 is CancellationError, "\($0)") }
        await answered.open()
        let token = try await session.accessToken()
        XCTAssertEqual(token, pair(7, at: fixture.clock.now()).access)
        XCTAssertEqual(transport.requests.count, 1)
    }

    func testATheftIsReportedAndClearsTheStorage() async throws {
        let fixture = try SessionFixture()
        try await fixture.signIn()
        fixture.clock.advance(lifetime)
        fixture.transport.next(status: 401, #"{"error":{"code":"ERR_REFRESH_REUSED"}}"#)
        let refusal = await refused { try await fixture.session.accessToken() }
        XCTAssertEqual(refusal?.advice, .signIn)
        XCTAssertEqual(refusal?.code, "ERR_REFRESH_REUSED")
        XCTAssertEqual(refusal?.signOut, .reused)
        XCTAssertNil(refusal?.retryAfter)
        // The state has changed before the caller gets the error.
        XCTAssertEqual(fixture.session.state(), .signedOut(reason: .reused))
        // Runs after the storage was cleared.
        _ = try await fixture.session.signOut()
        let stored = try await fixture.storage.read()
        XCTAssertNil(stored)
    }

    func testAFailureKeepsTheTokensAndHasARetryDelay() async throws {
        struct Offline: Error {}
        let fixture = try SessionFixture()
        try await fixture.signIn()
        fixture.clock.advance(lifetime)
        for _ in 0..<3 { fixture.transport.next { throw Offline() } }
        let refusal = await refused { try await fixture.session.accessToken() }
        XCTAssertEqual(refusal?.advice, .retry)
        XCTAssertEqual(refusal?.code, "ERR_TRANSPORT")
        XCTAssertNil(refusal?.signOut)
        XCTAssertNotNil(refusal?.retryAfter)
        XCTAssertEqual(fixture.session.state(), .signedIn)
    }

    func testNoTokenIsLogged() async throws {
        final class Log: SessionLogger, @unchecked Sendable {
            let entries = Order()
            func log(entry: LogEntry) { entries.add(entry.text) }
        }
        let log = Log()
        let fixture = try SessionFixture(logger: log)
        let first = try await fixture.signIn()
        fixture.clock.advance(lifetime)
        fixture.transport.next(status: 500, "refresh-0 \(first)")
        let second = try await fixture.session.accessToken()
        let entries = log.entries.all
        XCTAssertFalse(entries.isEmpty)
        for entry in entries {
            for secret in [first, second, "refresh-"] {
                XCTAssertFalse(entry.contains(secret), entry)
            }
        }
    }

    func testAnInvalidEndpointIsRejected() throws {
        let refusal = try refusal {
            try Session(
                config: SessionConfig(endpoint: RefreshEndpoint(url: "auth/refresh")),
                transport: URLSessionTransport(), storage: inMemoryStorage())
        }
        XCTAssertEqual(refusal.code, "ERR_CONFIG_INVALID")
        XCTAssertEqual(refusal.field, "endpoint.url")
    }

    func testASignOutTellsTheServerNowOrLater() async throws {
        let fixture = try SessionFixture()
        try await fixture.signIn()
        fixture.transport.next { throw URLError(.notConnectedToInternet) }
        fixture.transport.next(status: 204, "")
        let offline = try await fixture.session.signOut()
        XCTAssertEqual(offline, .pending)
        // Told again, and the note is removed.
        for _ in 0..<12_000 where try await fixture.storage.read() != nil {
            try await Task.sleep(nanoseconds: 5_000_000)
        }
        let stored = try await fixture.storage.read()
        XCTAssertNil(stored)
        let urls = fixture.transport.requests.map(\.url)
        XCTAssertEqual(urls, Array(repeating: "https://server.example/auth/logout", count: 2))
        try await fixture.signIn()
        let outcomes = [try await fixture.session.signOut(), try await fixture.session.signOut()]
        XCTAssertEqual(outcomes, [.revoked, .local])
    }

    private func refused(_ body: () async throws -> String) async -> RegrantError? {
        do {
            _ = try await body()
            XCTFail("no refusal")
            return nil
        } catch {
            return error as? RegrantError
        }
    }
}

/// The closures of `authorize` run in the caller's isolation and need not be `Sendable`.
@MainActor
private func authorizeOnTheMainActor() async throws {
    final class View { var shown = "" }
    let view = View()
    let fixture = try SessionFixture()
    let first = try await fixture.signIn()
    let answer = try await fixture.session.authorize(method: "GET", url: url) { headers in
        MainActor.assertIsolated()
        view.shown = headers[0].value
        return view
    } head: { _ in accepted }
    XCTAssertEqual(answer.shown, "Bearer \(first)")
}
