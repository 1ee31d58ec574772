import Foundation
import XCTest

import Regrant

/// Text forms contain neither secrets nor the app's claims.
final class RedactionTests: XCTestCase {
    /// Every text form of a value, alone and inside other values.
    private func printed(_ value: Any) -> [String: String] {
        var texts: [String: String] = [:]
        func add(_ how: String, _ write: (inout String) -> Void) {
            var text = ""
            write(&text)
            texts[how] = text
        }
        let inside: Any = [["value": value]]
        add("print") { print(value, to: &$0) }
        add("debugPrint") { debugPrint(value, to: &$0) }
        add("dump") { dump(value, to: &$0) }
        add("interpolated") { $0 = "\(value)" }
        add("describing") { $0 = String(describing: value) }
        add("reflecting") { $0 = String(reflecting: value) }
        add("optional") { $0 = "\(Optional(value) as Any)" }
        add("print inside") { print(inside, to: &$0) }
        add("dump inside") { dump(inside, to: &$0) }
        add("mirror") { text in
            for child in Mirror(reflecting: value).children { dump(child, to: &text) }
        }
        return texts
    }

    private func assertHides(
        _ value: Any, _ hidden: [String], shows: String, line: UInt = #line
    ) {
        for (how, text) in printed(value) {
            for secret in hidden {
                XCTAssertFalse(text.contains(secret), "\(how): \(text)", line: line)
            }
            XCTAssertTrue(how == "mirror" || text.contains(shows), "\(how): \(text)", line: line)
        }
    }

    func testClaimsHideTheAppsClaims() throws {
        let token = hs256(payload(#","email":"a@example.com""#))
        let claims = try verifier().verify(token: token)
        XCTAssertTrue(claims.payloadJson.contains("example.com"))
        assertHides(claims, ["example.com", token], shows: "user-7")
    }

    func testADecodedTokenShowsOnlyNames() throws {
        let decoded = try decodeUnverified(token: hs256(payload(#","email":"a@example.com""#)))
        XCTAssertTrue(decoded.claimsJson.contains("example.com"))
        assertHides(decoded, ["example.com", "user-7"], shows: "email")
    }

    func testAKeyHidesItsBytes() throws {
        let secret = Data("correct horse battery staple 1234".utf8)
        // As text, as numbers and as digits of the bytes.
        let hidden = ["horse", "99, 111, 114", "636f7272", "33 bytes"]
        assertHides(KeyMaterial.secret(bytes: secret), hidden, shows: "Secret([redacted])")
        let key = VerificationKey(algorithm: .hs256, material: .secret(bytes: secret), kid: "k-1")
        assertHides(key, hidden, shows: "k-1")
    }

    func testAVerifierHidesItsKeys() throws {
        assertHides(try verifier(), [String(decoding: secret, as: UTF8.self), "1, 2, 3"], shows: "AccessVerifier")
    }

    func testAPairHidesItsTokens() {
        let pair = TokenPair(accessToken: "planted-a", refreshToken: "planted-r", user: "planted-u")
        assertHides(pair, ["planted"], shows: "TokenPair([redacted])")
    }

    func testRequestsAndResponsesHideHeadersAndBody() {
        let header = HttpHeader(name: "refreshtoken", value: "planted-r")
        assertHides(header, ["planted"], shows: "refreshtoken")
        let body = Data("planted-b".utf8)
        // As text and as the numbers of its bytes.
        let hidden = ["planted", "112, 108", "9 bytes"]
        let request = HttpRequest(
            method: "POST", url: "https://server.example/r", headers: [header], body: body)
        assertHides(request, hidden, shows: "https://server.example/r")
        assertHides(HttpResponse(status: 207, headers: [header], body: body), hidden, shows: "207")
    }

    func testAConfigurationHidesItsHeaders() {
        let endpoint = RefreshEndpoint(
            url: "https://server.example/r", headers: ["x-gateway-key": "planted-k"])
        assertHides(endpoint, ["planted"], shows: "https://server.example/r")
        let config = SessionConfig(endpoint: endpoint, minTtl: 45)
        assertHides(config, ["planted"], shows: "45")
    }
}
