import XCTest

import Regrant

final class DecodeTests: XCTestCase {
    func testDecodesAnUnverifiableToken() throws {
        let token = hs256(
            #"{"sub":"홍길동","exp":1,"roles":["a"]}"#, header: #"{"alg":"none","kid":"k"}"#)
        let decoded = try decodeUnverified(token: token)
        XCTAssertEqual(decoded.header["alg"]?.stringValue, "none")
        XCTAssertEqual(decoded.header["kid"]?.stringValue, "k")
        XCTAssertEqual(decoded.claims["sub"]?.stringValue, "홍길동")
        XCTAssertEqual(decoded.claims["exp"]?.integerValue, 1)
        XCTAssertEqual(decoded.claims["roles"]?.jsonValue, #"["a"]"#)
        XCTAssertEqual(decoded.claimsJson, #"{"exp":1,"roles":["a"],"sub":"홍길동"}"#)
    }

    func testRejectsMalformedTokens() throws {
        for bad in ["", "a.b", "e30.e30.A", "W10.e30.AA"] {
            let refusal = try refusal(bad) { try decodeUnverified(token: bad) }
            XCTAssertEqual(refusal.code, "ERR_TOKEN_MALFORMED", bad)
        }
        let large = String(repeating: "a", count: 65537)
        let refusal = try refusal { try decodeUnverified(token: large) }
        XCTAssertEqual(refusal.code, "ERR_TOKEN_TOO_LARGE")
    }
}
