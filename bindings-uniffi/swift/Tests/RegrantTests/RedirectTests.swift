import Foundation
import XCTest

import Regrant

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// What `URLSession` does with a redirect, and what a session makes of it.
final class RedirectTests: XCTestCase {
    private let urlSession = URLSession(configuration: .ephemeral)

    private func request(_ method: String, _ url: URL) -> URLRequest {
        var request = URLRequest(url: url)
        request.httpMethod = method
        if method == "POST" { request.httpBody = Data("text".utf8) }
        return request
    }

    /// `redirected` gets the session and a URL that redirects to another server; returns what arrived
    /// there. The other server differs by its port, or by its name as well.
    private func requestsElsewhere(
        _ status: Int, _ redirected: (URL) async throws -> Void
    ) async throws -> [LoopbackServer.Request] {
        let other = try LoopbackServer { _ in .init(status: 401) }
        defer { other.stop() }
        for there in [other.url, other.elsewhere] {
            let server = try LoopbackServer { _ in
                .init(status: status, headers: ["Location": "\(there)/in"])
            }
            defer { server.stop() }
            try await redirected(server.url.appendingPathComponent("out"))
            XCTAssertEqual(server.seen.count, 1)
        }
        XCTAssertEqual(other.seen.map(\.path), ["/in", "/in"])
        return other.seen
    }

    /// A 401 of another server is not about the token.
    func testARedirectToAnotherServerCarriesNoToken() async throws {
        let fixture = try SessionFixture()
        try await fixture.signIn()
        for (status, method) in [(302, "GET"), (302, "POST"), (307, "GET")] {
            let seen = try await requestsElsewhere(status) { url in
                let request = request(method, url)
                let (_, response) = try await fixture.session.data(for: request, over: urlSession)
                XCTAssertEqual(response.statusCode, 401)
            }
            XCTAssertEqual(seen.compactMap { $0.headers["authorization"] }, [])
        }
        XCTAssertTrue(fixture.transport.requests.isEmpty)
    }

    /// Foundation itself removes no header but `Authorization`.
    func testARedirectToAnotherServerCarriesNoHeaderOfASession() async throws {
        let key = try await softwareProofKey(storage: inMemoryStorage())
        let bound = try SessionFixture(proofKey: key)
        try await bound.session.signIn(pair: boundPair(key).pair)
        let legacy = try Session(
            config: SessionConfig(
                endpoint: RefreshEndpoint(url: "https://server.example/rtVerify", shape: .rtVerify)),
            transport: bound.transport, storage: inMemoryStorage())
        try await legacy.signIn(pair: TokenPair(accessToken: "a", refreshToken: "r"))
        for session in [bound.session, legacy] {
            let seen = try await requestsElsewhere(302) { url in
                _ = try await session.data(from: url, over: urlSession)
            }
            for header in ["authorization", "dpop", "accesstoken"] {
                XCTAssertEqual(seen.compactMap { $0.headers[header] }, [], header)
            }
        }
        XCTAssertTrue(bound.transport.requests.isEmpty)
    }

    /// A server that redirects `/moved` to `/here`, where it rejects the access token `rejected`.
    private func movedServer(rejecting rejected: String) throws -> LoopbackServer {
        try LoopbackServer {
            if $0.path == "/moved" { return .init(status: 302, headers: ["Location": "/here"]) }
            return .init(status: $0.headers["authorization"] == "Bearer \(rejected)" ? 401 : 200)
        }
    }

    /// The upload may have been processed before it was redirected. The next one has a new token.
    func testARedirectedUploadIsNotSentAgain() async throws {
        let fixture = try SessionFixture()
        let first = try await fixture.signIn()
        let server = try movedServer(rejecting: first)
        defer { server.stop() }
        let moved = server.url.appendingPathComponent("moved")
        for expected in [401, 200] {
            let upload = request("POST", moved)
            let (_, response) = try await fixture.session.data(for: upload, over: urlSession)
            XCTAssertEqual(response.statusCode, expected)
        }
        XCTAssertEqual(server.seen.map(\.path), ["/moved", "/here", "/moved", "/here"])
        XCTAssertEqual(server.seen.map(\.body), ["text", "", "text", ""])
        XCTAssertEqual(fixture.transport.requests.count, 1)
    }

    /// With the statuses that keep the method and the body. Foundation on Linux loses the body.
    func testARedirectedUploadIsNotSentWithoutItsBody() async throws {
        let fixture = try SessionFixture()
        try await fixture.signIn()
        for status in [307, 308] {
            let server = try LoopbackServer {
                if $0.path == "/moved" { return .init(status: status, headers: ["Location": "/here"]) }
                return .init()
            }
            defer { server.stop() }
            let upload = request("POST", server.url.appendingPathComponent("moved"))
            let (_, response) = try await fixture.session.data(for: upload, over: urlSession)
            #if canImport(FoundationNetworking)
                XCTAssertEqual(response.statusCode, status)
                XCTAssertEqual(server.seen.map(\.path), ["/moved"])
            #else
                XCTAssertEqual(response.statusCode, 200)
                XCTAssertEqual(server.seen.map(\.path), ["/moved", "/here"])
            #endif
            for request in server.seen { XCTAssertEqual(request.body, "text") }
        }
    }

    func testARedirectedDownloadIsRetried() async throws {
        let fixture = try SessionFixture()
        let first = try await fixture.signIn()
        let server = try movedServer(rejecting: first)
        defer { server.stop() }
        let moved = server.url.appendingPathComponent("moved")
        let (_, response) = try await fixture.session.data(from: moved, over: urlSession)
        XCTAssertEqual(response.statusCode, 200)
        XCTAssertEqual(server.seen.map(\.path), ["/moved", "/here", "/moved", "/here"])
    }

    /// The app's delegate gets the request without the token, and decides.
    func testTheDelegateOfTheAppDecides() async throws {
        final class Stay: NSObject, URLSessionTaskDelegate, @unchecked Sendable {
            let asked = Order()
            func urlSession(
                _ session: URLSession, task: URLSessionTask,
                willPerformHTTPRedirection response: HTTPURLResponse, newRequest: URLRequest,
                completionHandler: @escaping (URLRequest?) -> Void
            ) {
                asked.add(newRequest.value(forHTTPHeaderField: "Authorization") ?? "none")
                completionHandler(nil)
            }
        }
        let fixture = try SessionFixture()
        try await fixture.signIn()
        let server = try LoopbackServer { _ in
            .init(status: 302, headers: ["Location": "http://localhost:1/"])
        }
        defer { server.stop() }
        let stay = Stay()
        let own = URLSession(configuration: .ephemeral, delegate: stay, delegateQueue: nil)
        let (_, response) = try await fixture.session.data(from: server.url, over: own)
        XCTAssertEqual(response.statusCode, 302)
        XCTAssertEqual(stay.asked.all, ["none"])
        own.finishTasksAndInvalidate()
    }
}
