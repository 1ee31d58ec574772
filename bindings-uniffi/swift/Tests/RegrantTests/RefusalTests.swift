import Foundation
import XCTest

import Regrant

final class RefusalTests: XCTestCase {
    private struct Case {
        let name, code, token: String
        let policy: AccessPolicy
        let detail: String?

        init(
            _ name: String, _ code: String, _ token: String,
            _ policy: AccessPolicy = AccessPolicy(), detail: String? = nil
        ) {
            (self.name, self.code, self.token) = (name, code, token)
            (self.policy, self.detail) = (policy, detail)
        }
    }

    private static let valid = hs256(payload())
    private static let byIssuer = AccessPolicy(issuers: ["i"])
    private static let forAudience = AccessPolicy(audiences: ["a"])
    private static let small = AccessPolicy(maxTokenBytes: 256)

    private static func with(_ header: String) -> String { hs256(payload(), header: header) }

    private static let cases: [Case] = [
        Case("empty", "ERR_TOKEN_MALFORMED", ""),
        Case("not three segments", "ERR_TOKEN_MALFORMED", "a.b"),
        Case("with a scheme", "ERR_TOKEN_MALFORMED", "Bearer \(valid)"),
        Case("padded", "ERR_TOKEN_MALFORMED", "\(valid)="),
        Case("text that is not ASCII", "ERR_TOKEN_MALFORMED", "토큰.토큰.토큰"),
        Case("a claim twice", "ERR_TOKEN_MALFORMED", hs256(payload(#","sub":"admin""#))),
        Case("too large", "ERR_TOKEN_TOO_LARGE", hs256(payload(#","pad":"\#(pad)""#)), small),
        Case("unsigned", "ERR_ALG_NOT_ALLOWED", with(#"{"alg":"none","typ":"at+jwt"}"#)),
        Case("another algorithm", "ERR_ALG_NOT_ALLOWED", with(#"{"alg":"HS512","typ":"at+jwt"}"#)),
        Case(
            "an unknown key", "ERR_KEY_NOT_FOUND",
            with(#"{"alg":"HS256","typ":"at+jwt","kid":"k2"}"#)),
        Case(
            "another secret", "ERR_SIGNATURE_INVALID", hs256(payload(), secret: Data(count: 32))),
        Case(
            "crit", "ERR_CRIT_UNSUPPORTED",
            with(#"{"alg":"HS256","typ":"at+jwt","crit":["exp"]}"#)),
        Case("b64", "ERR_CRIT_UNSUPPORTED", with(#"{"alg":"HS256","typ":"at+jwt","b64":false}"#)),
        Case("a refresh token", "ERR_TYP_MISMATCH", with(#"{"alg":"HS256","typ":"rt+jwt"}"#)),
        Case("no typ", "ERR_TYP_MISMATCH", with(#"{"alg":"HS256"}"#)),
        Case("not yet valid", "ERR_TOKEN_NOT_YET_VALID", hs256(payload(#","nbf":1700000001"#))),
        Case(
            "bound to a key", "ERR_DPOP_PROOF_MISSING",
            hs256(payload(#","cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}"#))),
        Case("expired", "ERR_TOKEN_EXPIRED", hs256(#"{"sub":"u","exp":1700000000}"#)),
        Case("no issuer", "ERR_ISSUER_MISMATCH", valid, byIssuer),
        Case("another issuer", "ERR_ISSUER_MISMATCH", hs256(payload(#","iss":"j""#)), byIssuer),
        Case("no audience", "ERR_AUDIENCE_MISMATCH", valid, forAudience),
        Case(
            "another audience", "ERR_AUDIENCE_MISMATCH", hs256(payload(#","aud":"b""#)),
            forAudience),
        Case(
            "an audience that is not expected", "ERR_AUDIENCE_MISMATCH",
            hs256(payload(#","aud":"b""#))),
        Case("no exp", "ERR_CLAIM_MISSING", hs256(#"{"sub":"u"}"#), detail: "exp"),
        Case("no subject", "ERR_CLAIM_MISSING", hs256(#"{"exp":1700000900}"#), detail: "sub"),
        Case(
            "no required claim", "ERR_CLAIM_MISSING", valid,
            AccessPolicy(requiredClaims: ["역할"]), detail: "역할"),
        Case(
            "exp as text", "ERR_CLAIM_INVALID", hs256(#"{"sub":"u","exp":"1700000900"}"#),
            detail: "exp"),
    ]

    private static let pad = String(repeating: "x", count: 256)

    func testFailsWithTheCodeOfTheCore() throws {
        for one in Self.cases {
            let verifier = try verifier(one.policy, keys: [secretKey(kid: "k1")])
            let refusal = try refusal(one.name) { try verifier.verify(token: one.token) }
            XCTAssertEqual(refusal.code, one.code, one.name)
            XCTAssertEqual(refusal.detail, one.detail, one.name)
            XCTAssertEqual(refusal.info.code, one.code, one.name)
            XCTAssertEqual(refusal.info.advice, refusal.advice, one.name)
            XCTAssertEqual(Int(refusal.info.status), refusal.status, one.name)
            for text in ["\(refusal)", refusal.localizedDescription, String(reflecting: refusal)] {
                XCTAssertTrue(text.contains(one.code), text)
                XCTAssertFalse(one.token.count > 8 && text.contains(one.token), one.name)
            }
        }
    }

    func testTheCasesCoverEveryCodeOfVerify() {
        // Codes of sessions, stores, transport, configuration, and of an absent header.
        let elsewhere: Set = [
            "ERR_TOKEN_MISSING", "ERR_REFRESH_EXPIRED", "ERR_SESSION_UNKNOWN",
            "ERR_SESSION_REVOKED", "ERR_REFRESH_REUSED", "ERR_SUBJECT_MISMATCH",
            "ERR_ACCESS_REVOKED", "ERR_STORE_UNAVAILABLE", "ERR_KEYS_UNAVAILABLE", "ERR_TRANSPORT",
            "ERR_DPOP_PROOF_INVALID", "ERR_DPOP_PROOF_REPLAYED", "ERR_DPOP_NONCE_REQUIRED",
            "ERR_REFRESH_SUPERSEDED", "ERR_TOO_MANY_ATTEMPTS", "ERR_CONFIG_INVALID", "ERR_INTERNAL",
            "ERR_INSUFFICIENT_SCOPE", "ERR_LOGIN_TOO_OLD", "ERR_ORIGIN_NOT_ALLOWED", "ERR_NOT_FOUND", "ERR_ARGUMENT_INVALID",
        ]
        let codes = Set(errorCodes().map(\.code))
        XCTAssertEqual(codes.subtracting(elsewhere), Set(Self.cases.map(\.code)))
    }

    func testMessagesForUsersAndDevelopers() throws {
        let malformed = try refusal { try verifier().verify(token: "a.b") }
        XCTAssertEqual(malformed.info.messages.ko, "토큰의 형식이 일치하지 않습니다.")
        XCTAssertEqual(malformed.info.messages.en, "The token is malformed")
        XCTAssertEqual(malformed.text, "The token is malformed")
        XCTAssertEqual(malformed.description, "ERR_TOKEN_MALFORMED: The token is malformed")
        XCTAssertEqual(malformed.localizedDescription, malformed.description)

        let missing = try refusal { try verifier().verify(token: hs256(#"{"sub":"u"}"#)) }
        XCTAssertTrue(missing.description.hasSuffix(": exp"), missing.description)
    }

    func testAnErrorOfAnUnknownCodeDescribesItself() {
        let error = RegrantError.Failed(
            code: "ERR_OURS", advice: .retry, status: 503, text: "later", detail: nil, field: nil,
            signOut: nil, retryAfter: nil)
        XCTAssertEqual(error.info.advice, .retry)
        XCTAssertEqual(error.info.status, 503)
        XCTAssertEqual(error.info.messages.en, "later")
    }

    func testBearerTokenReturnsTheTokenOrFailsWithACode() throws {
        XCTAssertEqual(try bearerToken(headerValue: "Bearer \(Self.valid)"), Self.valid)
        XCTAssertEqual(try bearerToken(headerValue: " bearer  \(Self.valid) "), Self.valid)
        for absent in ["", "Bearer", "Basic dTpw", Self.valid] {
            let refusal = try refusal(absent) { try bearerToken(headerValue: absent) }
            XCTAssertEqual(refusal.code, "ERR_TOKEN_MISSING", absent)
            XCTAssertEqual(refusal.advice, .signIn, absent)
        }
        let two = try refusal { try bearerToken(headerValue: "Bearer a b") }
        XCTAssertEqual(two.code, "ERR_TOKEN_MALFORMED")
    }

    func testAnInvalidConfigurationNamesItsField() throws {
        let pem = VerificationKey(algorithm: .es256, material: .publicPem(pem: "not a key"))
        let short = VerificationKey(algorithm: .hs256, material: .secret(bytes: Data(count: 31)))
        let wrong: [(String, () throws -> AccessVerifier)] = [
            ("keys", { try verifier(keys: []) }),
            ("kid", { try verifier(keys: [secretKey(kid: "두 번째")]) }),
            ("secret", { try verifier(keys: [short]) }),
            ("publicKey", { try verifier(keys: [pem]) }),
            ("access.leeway", { try verifier(AccessPolicy(leeway: 6 * 60)) }),
            ("access.maxTokenBytes", { try verifier(AccessPolicy(maxTokenBytes: 255)) }),
            ("access.subjectClaim", { try verifier(AccessPolicy(subjectClaim: "exp")) }),
        ]
        for (field, make) in wrong {
            let refusal = try refusal(field) { try make() }
            XCTAssertEqual(refusal.code, "ERR_CONFIG_INVALID", field)
            XCTAssertEqual(refusal.field, field)
            XCTAssertEqual(refusal.advice, .fix, field)
        }
    }
}
