import Foundation
import XCTest

import Regrant

final class SessionTests: XCTestCase {
    /// A device that is locked: nobody is signed out, and later it works.
    func testAKeyThatCannotBeUsedNowIsTroubleAndNoMore() async throws {
        let key = LockedKey(try await softwareProofKey(storage: inMemoryStorage()))
        let bench = try TestBench(proofKey: key)
        let (access, pair) = try boundPair(key)
        try await bench.session.signIn(pair: pair)
        let url = "https://server.example/me"
        do {
            _ = try await bench.session.authorization(method: "GET", url: url)
            XCTFail("the key is locked")
        } catch let refusal as RegrantError {
            XCTAssertEqual(refusal.advice, .retry)
            XCTAssertEqual(refusal.code, "ERR_STORE_UNAVAILABLE")
        }
        key.unlock()
        let headers = try await bench.session.authorization(method: "GET", url: url).headers()
        XCTAssertEqual(headers.map(\.name), ["authorization", "dpop"])
        XCTAssertEqual(headers.first?.value, "DPoP \(access)")
        let claims = try decodeUnverified(token: headers[1].value).claims
        XCTAssertEqual(claims["htm"]?.stringValue, "GET")
        XCTAssertEqual(claims["htu"]?.stringValue, url)
        XCTAssertEqual(bench.session.state(), .signedIn)
    }

    /// In another session nothing could be done with it.
    func testAPairThatIsBoundToAnotherKeyIsNotStored() async throws {
        let key = try await softwareProofKey(storage: inMemoryStorage())
        let bench = try TestBench()
        do {
            try await bench.session.signIn(pair: boundPair(key).pair)
            XCTFail("it is of no use")
        } catch let refusal as RegrantError {
            XCTAssertEqual(refusal.signOut, .otherKey)
        }
        let stored = try await bench.storage.read()
        XCTAssertNil(stored)
    }

    /// A refused proof is answered by another one, not by another token; and any answer may have a
    /// nonce for the next.
    func testAProofIsMadeAnewWithWhatTheAnswerSays() async throws {
        let key = try await softwareProofKey(storage: inMemoryStorage())
        let bench = try TestBench(proofKey: key)
        let (access, pair) = try boundPair(key)
        try await bench.session.signIn(pair: pair)
        let url = try XCTUnwrap(URL(string: "https://server.example/me"))
        let challenge = HttpHeader(name: "WWW-Authenticate", value: #"DPoP error="use_dpop_nonce""#)
        let nonce = { HttpHeader(name: "DPoP-Nonce", value: $0) }
        var answers = [
            HttpResponse(status: 401, headers: [challenge, nonce("first")], body: Data()),
            HttpResponse(status: 200, headers: [nonce("next")], body: Data()),
            HttpResponse(status: 200, headers: [], body: Data()),
        ]
        var seen: [[HttpHeader]] = []
        for _ in 0..<2 {
            let answer = try await bench.session.authorize(method: "GET", url: url) { headers in
                seen.append(headers)
                return answers.removeFirst()
            } head: { $0 }
            XCTAssertEqual(answer.status, 200)
        }
        XCTAssertEqual(seen.map { $0[0].value }, Array(repeating: "DPoP \(access)", count: 3))
        let nonces = try seen.map { try decodeUnverified(token: $0[1].value).claims["nonce"]?.stringValue }
        XCTAssertEqual(nonces, [nil, "first", "next"])
        XCTAssertTrue(bench.transport.requests.isEmpty)
    }

    func testWhatIsNoKeyIsRefusedAtOnce() throws {
        XCTAssertThrowsError(try TestBench(proofKey: NoKey())) {
            XCTAssertEqual(($0 as? RegrantError)?.field, "proofKey")
        }
    }

    func testOneRefreshForAllWhoAsk() async throws {
        let bench = try TestBench()
        let first = try await bench.signIn()
        for expiry in 0..<3 {
            let session = bench.session
            let tokens = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<100 { group.addTask { try await session.accessToken() } }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            XCTAssertEqual(tokens.count, 1)
            XCTAssertEqual(tokens.contains(first), expiry == 0)
            XCTAssertEqual(bench.transport.requests.count, expiry)
            bench.clock.advance(lifetime)
        }
    }

    func testTheRequestIsAsTheEndpointWantsIt() async throws {
        let bench = try TestBench()
        try await bench.signIn()
        bench.clock.advance(lifetime)
        _ = try await bench.session.accessToken()
        let request = try XCTUnwrap(bench.transport.requests.first)
        XCTAssertEqual(request.method, "POST")
        XCTAssertEqual(request.url, "https://server.example/auth/refresh")
        XCTAssertEqual(String(decoding: request.body, as: UTF8.self), #"{"refreshToken":"refresh-0"}"#)
    }

    func testStatesAsAStream() async throws {
        let bench = try TestBench()
        var states = bench.session.states.makeAsyncIterator()
        var state = await states.next()
        XCTAssertEqual(state, .unknown)
        try await bench.signIn()
        state = await states.next()
        XCTAssertEqual(state, .signedIn)
        try await bench.session.signOut()
        state = await states.next()
        XCTAssertEqual(state, .signedOut(reason: .byUser))
        XCTAssertEqual(bench.session.state(), .signedOut(reason: .byUser))
    }

    func testTheStreamEndsWithItsTask() async throws {
        let bench = try TestBench()
        let session = bench.session
        let gate = Gate()
        let reader = Task {
            for await _ in session.states { await gate.open() }
        }
        await gate.pass()
        reader.cancel()
        await reader.value
    }

    func testARefusedTokenIsReplacedOnce() async throws {
        let bench = try TestBench()
        let first = try await bench.signIn()
        var sent: [String] = []
        let status = try await bench.session.authorize { token in
            sent.append(token)
            return token == first ? 401 : 200
        } isUnauthorized: { $0 == 401 }
        XCTAssertEqual(status, 200)
        XCTAssertEqual(sent.count, 2)
        XCTAssertEqual(bench.transport.requests.count, 1)

        sent = []
        let refused = try await bench.session.authorize { token in
            sent.append(token)
            return 401
        } isUnauthorized: { $0 == 401 }
        XCTAssertEqual(refused, 401)
        XCTAssertEqual(sent.count, 2)
    }

    func testAuthorizesWhereTheCallerIs() async throws { try await authorizeOnTheMainActor() }

    func testACancelledTaskDoesNotWaitAndThePairIsKept() async throws {
        let bench = try TestBench()
        try await bench.signIn()
        bench.clock.advance(lifetime)
        let (asked, answered) = (Gate(), Gate())
        let transport = bench.transport
        transport.next {
            await asked.open()
            await answered.pass()
            return transport.renewed(7)
        }
        let session = bench.session
        let call = Task {
            try await session.authorize { $0 } isUnauthorized: { _ in false }
        }
        await asked.pass()
        call.cancel()
        let outcome = await call.result
        XCTAssertThrowsError(try outcome.get()) { XCTAssertTrue($0 is CancellationError, "\($0)") }
        await answered.open()
        let token = try await session.accessToken()
        XCTAssertEqual(token, pair(7, at: bench.clock.now()).access)
        XCTAssertEqual(transport.requests.count, 1)
    }

    func testTheftIsToldAndTheStorageIsCleared() async throws {
        let bench = try TestBench()
        try await bench.signIn()
        bench.clock.advance(lifetime)
        bench.transport.next(status: 401, #"{"error":{"code":"ERR_REFRESH_REUSED"}}"#)
        let refusal = await refused { try await bench.session.accessToken() }
        XCTAssertEqual(refusal?.advice, .signIn)
        XCTAssertEqual(refusal?.code, "ERR_REFRESH_REUSED")
        XCTAssertEqual(refusal?.signOut, .reused)
        XCTAssertNil(refusal?.retryAfter)
        // Whoever was answered sees it at once.
        XCTAssertEqual(bench.session.state(), .signedOut(reason: .reused))
        // In its turn after the storage was cleared.
        try await bench.session.signOut()
        let stored = try await bench.storage.read()
        XCTAssertNil(stored)
    }

    func testAFailureKeepsTheTokensAndSaysWhenToTryAgain() async throws {
        struct Offline: Error {}
        let bench = try TestBench()
        try await bench.signIn()
        bench.clock.advance(lifetime)
        for _ in 0..<3 { bench.transport.next { throw Offline() } }
        let refusal = await refused { try await bench.session.accessToken() }
        XCTAssertEqual(refusal?.advice, .retry)
        XCTAssertEqual(refusal?.code, "ERR_TRANSPORT")
        XCTAssertNil(refusal?.signOut)
        XCTAssertNotNil(refusal?.retryAfter)
        XCTAssertEqual(bench.session.state(), .signedIn)
    }

    func testNoTokenIsLogged() async throws {
        final class Log: SessionLogger, @unchecked Sendable {
            let entries = Order()
            func log(entry: LogEntry) { entries.add(entry.text) }
        }
        let log = Log()
        let bench = try TestBench(logger: log)
        let first = try await bench.signIn()
        bench.clock.advance(lifetime)
        bench.transport.next(status: 500, "refresh-0 \(first)")
        let second = try await bench.session.accessToken()
        let entries = log.entries.all
        XCTAssertFalse(entries.isEmpty)
        for entry in entries {
            for secret in [first, second, "refresh-"] {
                XCTAssertFalse(entry.contains(secret), entry)
            }
        }
    }

    func testAnEndpointThatIsNoneIsRefused() throws {
        let refusal = try refusal {
            try Session(
                config: SessionConfig(endpoint: RefreshEndpoint(url: "auth/refresh")),
                transport: URLSessionTransport(), storage: inMemoryStorage())
        }
        XCTAssertEqual(refusal.code, "ERR_CONFIG_INVALID")
        XCTAssertEqual(refusal.field, "endpoint.url")
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

/// What a request is made of need not be `Sendable`: it stays where the caller is.
@MainActor
private func authorizeOnTheMainActor() async throws {
    final class View { var shown = "" }
    let view = View()
    let bench = try TestBench()
    let first = try await bench.signIn()
    let answer = try await bench.session.authorize { token in
        MainActor.assertIsolated()
        view.shown = token
        return view
    } isUnauthorized: { _ in false }
    XCTAssertEqual(answer.shown, first)
}
