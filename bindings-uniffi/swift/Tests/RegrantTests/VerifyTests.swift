import Foundation
import XCTest

import Regrant

final class VerifyTests: XCTestCase {
    func testReturnsEveryClaim() throws {
        let payload =
            #"{"sub":"사용자-7","sid":"AAECAwQFBgcICQoLDA0ODw","gen":3,"brn":1,"iat":1700000000,"#
            + #""nbf":1699999999.5,"exp":1700000900,"iss":"https://발급자.example","#
            + #""aud":["api","web"],"jti":"t-1","name":"홍길동","age":42,"score":1.5,"admin":true,"#
            + #""none":null,"roles":["관리자","b"]}"#
        let policy = AccessPolicy(issuers: ["https://발급자.example"], audiences: ["web"])
        let claims = try verifier(policy).verify(token: hs256(payload))

        XCTAssertEqual(claims.subject, "사용자-7")
        XCTAssertEqual(claims.sessionId, "AAECAwQFBgcICQoLDA0ODw")
        XCTAssertEqual(claims.generation, 3)
        XCTAssertEqual(claims.branch, 1)
        XCTAssertEqual(claims.issuedAt, now)
        XCTAssertEqual(claims.notBefore, now - 0.5)
        XCTAssertEqual(claims.expiresAt, now + 900)
        XCTAssertEqual(claims.issuer, "https://발급자.example")
        XCTAssertEqual(claims.audience, ["api", "web"])
        XCTAssertEqual(claims.id, "t-1")
        XCTAssertEqual(claims.payloadJson, payload)

        XCTAssertEqual(claims["name"]?.stringValue, "홍길동")
        XCTAssertEqual(claims["age"]?.integerValue, 42)
        XCTAssertEqual(claims["age"]?.doubleValue, 42)
        XCTAssertEqual(claims["score"]?.doubleValue, 1.5)
        XCTAssertEqual(claims["admin"]?.boolValue, true)
        XCTAssertEqual(claims["none"], .null)
        XCTAssertEqual(claims["roles"]?.jsonValue, #"["관리자","b"]"#)
        XCTAssertNil(claims["absent"])
    }

    func testAClaimOfAnotherTypeIsNil() throws {
        let claims = try verifier().verify(token: hs256(payload(#","age":42,"name":"a""#)))
        XCTAssertNil(claims["age"]?.stringValue)
        XCTAssertNil(claims["age"]?.boolValue)
        XCTAssertNil(claims["age"]?.jsonValue)
        XCTAssertNil(claims["name"]?.integerValue)
        XCTAssertNil(claims["name"]?.doubleValue)
    }

    func testAbsentClaimsAreNil() throws {
        let claims = try verifier().verify(token: hs256(#"{"sub":"u","exp":1700000900}"#))
        XCTAssertNil(claims.sessionId)
        XCTAssertNil(claims.generation)
        XCTAssertNil(claims.branch)
        XCTAssertNil(claims.issuedAt)
        XCTAssertNil(claims.notBefore)
        XCTAssertNil(claims.issuer)
        XCTAssertEqual(claims.audience, [])
        XCTAssertNil(claims.id)
    }

    func testLegacyTokensAreAcceptedOnlyIfAllowed() throws {
        let token = hs256(
            #"{"userId":41,"iat":1700000000,"exp":1700003600}"#,
            header: #"{"alg":"HS256","typ":"JWT"}"#)
        func policy(_ legacy: LegacyTokens?) -> AccessPolicy {
            AccessPolicy(subjectClaim: "userId", legacy: legacy)
        }
        XCTAssertEqual(try verifier(policy(LegacyTokens())).verify(token: token).subject, "41")
        for (legacy, code) in [
            (LegacyTokens(maxLifetime: 59 * 60), "ERR_CLAIM_INVALID"), (nil, "ERR_TYP_MISMATCH"),
        ] {
            let refusal = try refusal { try verifier(policy(legacy)).verify(token: token) }
            XCTAssertEqual(refusal.code, code)
        }
    }

    func testAShortSecretIsAcceptedOnlyIfAllowed() throws {
        let short = Data("비밀".utf8)
        let material = KeyMaterial.secret(bytes: short, allowShort: true)
        let keys = [VerificationKey(algorithm: .hs256, material: material)]
        let token = hs256(payload(), secret: short)
        XCTAssertEqual(try verifier(keys: keys).verify(token: token).subject, "user-7")
    }
}
