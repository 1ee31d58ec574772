import Foundation
import XCTest

import Regrant

/// Servers of other shapes than regrant's.
final class ShapesTests: XCTestCase {
    private let transport = ScriptedTransport(ManualClock(now))

    private func session(_ endpoint: RefreshEndpoint) throws -> Session {
        try Session(
            config: SessionConfig(endpoint: endpoint, failureThreshold: 1), transport: transport,
            storage: inMemoryStorage())
    }

    private func signedIn(_ endpoint: RefreshEndpoint) async throws -> Session {
        let session = try session(endpoint)
        try await session.signIn(pair: TokenPair(accessToken: "a1", refreshToken: "r1"))
        return session
    }

    private func refusal(_ session: Session) async throws -> RegrantError {
        do {
            _ = try await session.renew(rejected: "a1")
            throw CallbackError.Failed(reason: "it was not refused")
        } catch let refusal as RegrantError { return refusal }
    }

    private let oauth2 = RefreshEndpoint(
        url: "https://login.example/token", shape: .oAuth2,
        logoutUrl: "https://login.example/revoke", clientId: "my app")
    private let wrapped = RefreshEndpoint(
        url: "https://api.example/auth/refresh", envelope: "data")

    func testAnOAuth2ServerIsAskedInItsOwnFormat() async throws {
        let login = Data(#"{"access_token":"a1","expires_in":900,"refresh_token":"r1"}"#.utf8)
        XCTAssertNil(readLogin(body: login))
        let session = try session(oauth2)
        try await session.signIn(pair: XCTUnwrap(readLogin(body: login, endpoint: oauth2)))
        transport.next(
            status: 200, #"{"access_token":"a2","expires_in":900,"refresh_token":"r2"}"#)
        transport.next(status: 200, "")
        let token = try await session.renew(rejected: "a1")
        XCTAssertEqual(token, "a2")
        let outcome = try await session.signOut()
        XCTAssertEqual(outcome, .revoked)
        let bodies = transport.requests.map { String(decoding: $0.body, as: UTF8.self) }
        XCTAssertEqual(
            bodies,
            [
                "grant_type=refresh_token&refresh_token=r1&client_id=my%20app",
                "token=r2&token_type_hint=refresh_token&client_id=my%20app",
            ])
        XCTAssertEqual(transport.requests.map(\.url), [oauth2.url, oauth2.logoutUrl])
    }

    func testTheErrorInvalidGrantSignsOutAndNoOtherError() async throws {
        transport.next(status: 400, #"{"error":"invalid_client"}"#)
        let other = try await refusal(signedIn(oauth2))
        XCTAssertEqual(other.advice, .retry)
        transport.next(status: 400, #"{"error":"invalid_grant"}"#)
        let rejected = try await refusal(signedIn(oauth2))
        XCTAssertEqual(rejected.signOut, .rejected(code: nil))
    }

    func testAnEnvelopeIsUnwrappedOfALoginARefreshAndAnError() async throws {
        let login = Data(#"{"data":{"accessToken":"a1","refreshToken":"r1"}}"#.utf8)
        XCTAssertNil(readLogin(body: login))
        let session = try session(wrapped)
        try await session.signIn(pair: XCTUnwrap(readLogin(body: login, endpoint: wrapped)))
        transport.next(status: 200, #"{"data":{"accessToken":"a2","refreshToken":"r2"}}"#)
        let token = try await session.renew(rejected: "a1")
        XCTAssertEqual(token, "a2")
        transport.next(status: 401, #"{"data":{"error":{"code":"ERR_REFRESH_EXPIRED"}}}"#)
        let refusal = try await refusal(signedIn(wrapped))
        XCTAssertEqual(refusal.signOut, .expired)
    }

    /// It is no JSON, but some servers send it.
    func testAByteOrderMarkIsSkipped() async throws {
        let answer = { (number: Int) in
            "\u{FEFF}" + #"{"accessToken":"a\#(number)","refreshToken":"r\#(number)"}"#
        }
        let session = try session(RefreshEndpoint(url: "https://api.example/auth/refresh"))
        let pair = try XCTUnwrap(readLogin(body: Data(answer(1).utf8)))
        try await session.signIn(pair: pair)
        transport.next(status: 200, answer(2))
        let token = try await session.renew(rejected: "a1")
        XCTAssertEqual(token, "a2")
    }
}
