import Foundation
import XCTest

import Regrant

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// Answers the requests of a `URLSession` in the process.
private final class FakeAPI: URLProtocol {
    nonisolated(unsafe) static var seen: [URLRequest] = []
    nonisolated(unsafe) static var answer: (URLRequest) -> Int = { _ in 200 }
    private static let guarded = NSLock()

    override class func canInit(with request: URLRequest) -> Bool { true }
    override class func canonicalRequest(for request: URLRequest) -> URLRequest { request }

    override func startLoading() {
        let status = Self.guarded.withLock {
            Self.seen.append(request)
            return Self.answer(request)
        }
        let response = HTTPURLResponse(
            url: request.url!, statusCode: status, httpVersion: "HTTP/1.1", headerFields: [:])!
        client?.urlProtocol(self, didReceive: response, cacheStoragePolicy: .notAllowed)
        client?.urlProtocol(self, didLoad: Data("{}".utf8))
        client?.urlProtocolDidFinishLoading(self)
    }

    override func stopLoading() {}
}

final class URLSessionTests: XCTestCase {
    private let url = URL(string: "https://server.example/files")!

    override func setUp() {
        FakeAPI.seen = []
        FakeAPI.answer = { _ in 200 }
    }

    private var urlSession: URLSession {
        let configuration = URLSessionConfiguration.ephemeral
        configuration.protocolClasses = [FakeAPI.self]
        return URLSession(configuration: configuration)
    }

    func testAServerOfTheShapeRtVerifyNeedsNoCodeOfTheApp() async throws {
        for status in [403, 419] {
            FakeAPI.seen = []
            let transport = ScriptedTransport(ManualClock(now))
            transport.next(status: 200, #"{"accessToken":"Bearer new"}"#)
            let endpoint = RefreshEndpoint(
                url: "https://server.example/rtVerify", shape: .rtVerify)
            let session = try Session(
                config: SessionConfig(endpoint: endpoint), transport: transport,
                storage: inMemoryStorage())
            try await session.signIn(pair: TokenPair(accessToken: "old", refreshToken: "r"))
            FakeAPI.answer = {
                $0.value(forHTTPHeaderField: "accesstoken") == "Bearer new" ? 200 : status
            }
            var request = URLRequest(url: url)
            request.httpMethod = "POST"
            request.httpBody = Data("text".utf8)
            let (_, response) = try await session.data(for: request, over: urlSession)
            XCTAssertEqual(response.statusCode, 200)
            let tokens = FakeAPI.seen.map { $0.value(forHTTPHeaderField: "accesstoken") }
            XCTAssertEqual(tokens, ["Bearer old", "Bearer new"])
        }
    }

    /// The first attempt consumes the stream. The next request has a new token.
    func testABodyThatIsAStreamIsNotSentTwice() async throws {
        let fixture = try SessionFixture()
        let first = try await fixture.signIn()
        FakeAPI.answer = {
            $0.value(forHTTPHeaderField: "authorization") == "Bearer \(first)" ? 401 : 200
        }
        for expected in [401, 200] {
            var request = URLRequest(url: url)
            request.httpMethod = "POST"
            request.httpBodyStream = InputStream(data: Data("text".utf8))
            let (_, response) = try await fixture.session.data(for: request, over: urlSession)
            XCTAssertEqual(response.statusCode, expected)
        }
        XCTAssertEqual(FakeAPI.seen.count, 2)
    }

    /// Calls and refreshes go to one server, which rejects the first token.
    private func server(
        refresh: @escaping @Sendable () -> LoopbackServer.Answer
    ) throws -> LoopbackServer {
        try LoopbackServer {
            if $0.path == "/refresh" { return refresh() }
            return .init(status: $0.headers["authorization"] == "Bearer first" ? 401 : 200)
        }
    }

    /// The tokens live shorter than the margin in which they are refreshed, and the device's clock is
    /// wrong: the header `Date` of the refresh tells when they were issued.
    func testShortLivedTokensWithoutIatAreNotRefreshedAtEveryCall() async throws {
        let lifetime = 1200.0
        let server = try server {
            let exp = Int(Date().timeIntervalSince1970 + lifetime)
            let access = hs256(#"{"sub":"u","exp":\#(exp)}"#)
            return .init(body: #"{"accessToken":"\#(access)"}"#)
        }
        defer { server.stop() }
        let clock = ManualClock(Date() + 86400)
        let config = SessionConfig(
            endpoint: RefreshEndpoint(url: "\(server.url)/refresh"), minTtl: 2 * lifetime)
        let session = try Session(
            config: config, transport: URLSessionTransport(), storage: inMemoryStorage(),
            clock: clock)
        try await session.signIn(pair: TokenPair(accessToken: "first", refreshToken: "r"))
        for refreshes in 1...3 {
            for _ in 0..<20 {
                let me = server.url.appendingPathComponent("me")
                let (_, response) = try await session.data(from: me)
                XCTAssertEqual(response.statusCode, 200)
            }
            XCTAssertEqual(server.seen.filter { $0.path == "/refresh" }.count, refreshes)
            // Three quarters of the lifetime: within the margin.
            clock.advance(lifetime * 3 / 4)
        }
    }

    /// Waiting for the next attempt would only end in a timeout.
    func testARetryAfterBeyondThePatienceIsAnsweredAtOnce() async throws {
        let server = try server { .init(status: 503, headers: ["Retry-After": "250"]) }
        defer { server.stop() }
        let config = SessionConfig(
            endpoint: RefreshEndpoint(url: "\(server.url)/refresh"), waitTimeout: 180)
        let session = try Session(
            config: config, transport: URLSessionTransport(), storage: inMemoryStorage())
        try await session.signIn(pair: TokenPair(accessToken: "first", refreshToken: "r"))
        for _ in 0..<2 {
            do {
                try await inTime { [url = server.url] in _ = try await session.data(from: url) }
                XCTFail("the server wants no refresh now")
            } catch let refusal as RegrantError {
                XCTAssertEqual(refusal.advice, .retry)
                XCTAssertGreaterThan(refusal.retryAfter ?? 0, 180)
            }
        }
        XCTAssertEqual(server.seen.filter { $0.path == "/refresh" }.count, 1)
    }
}
