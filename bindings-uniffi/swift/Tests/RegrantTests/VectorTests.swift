import Foundation
import XCTest

import Regrant

/// The test vectors shared by all languages.
final class VectorTests: XCTestCase {
    private struct Entry: Decodable, Equatable {
        struct Messages: Decodable, Equatable {
            let en, ko: String
        }
        let advice, code: String
        let messages: Messages
        let status: Int32
        let wwwAuthenticate: String?
    }

    private struct Signatures: Decodable {
        struct Signed: Decodable {
            let alg: String
            let key: String?
            let token: String
        }
        let secret, payload: String
        let tokens: [Signed]
    }

    /// `tests/vectors` of this checkout.
    static let vectors = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().appendingPathComponent("../../../../tests/vectors").standardized

    private func read(_ path: String) throws -> Data {
        try Data(contentsOf: Self.vectors.appendingPathComponent(path))
    }

    func testErrorCodesMatchTheVectorFile() throws {
        let expected = try JSONDecoder().decode([Entry].self, from: read("errors.json"))
        XCTAssertGreaterThanOrEqual(expected.count, 26)
        let actual = errorCodes().map { info in
            Entry(
                advice: name(of: info.advice), code: info.code,
                messages: .init(en: info.messages.en, ko: info.messages.ko),
                status: info.status, wwwAuthenticate: info.wwwAuthenticate)
        }
        XCTAssertEqual(actual, expected)
    }

    func testVerifiesForeignTokensOfEveryAlgorithm() throws {
        let file = try JSONDecoder().decode(Signatures.self, from: read("access/signatures.json"))
        let policy = AccessPolicy(issuers: ["https://issuer.test"], audiences: ["api"])
        let clock = ManualClock(Date(timeIntervalSince1970: 1_700_000_899))
        var seen: Set<Algorithm> = []
        for entry in file.tokens {
            let algorithm = try XCTUnwrap(algorithms[entry.alg], entry.alg)
            let material: KeyMaterial = if let key = entry.key {
                .publicPem(pem: String(decoding: try read("keys/\(key).public.pem"), as: UTF8.self))
            } else {
                .secret(bytes: Data(file.secret.utf8))
            }
            let keys = [VerificationKey(algorithm: algorithm, material: material)]
            let verifier = try verifier(policy, keys: keys, clock: clock)

            let claims = try verifier.verify(token: entry.token)
            XCTAssertEqual(claims.subject, "user-7", entry.alg)
            XCTAssertEqual(claims.payloadJson, file.payload, entry.alg)

            let forged = entry.token.dropLast(8) + "AAAAAAAA"
            let refusal = try refusal(entry.alg) { try verifier.verify(token: String(forged)) }
            XCTAssertEqual(refusal.code, "ERR_SIGNATURE_INVALID", entry.alg)
            seen.insert(algorithm)
        }
        XCTAssertEqual(seen, Set(algorithms.values))
        XCTAssertEqual(file.tokens.count, algorithms.count)
    }

    /// Checks the HMAC that the other tests sign their tokens with.
    func testTheTestHmacMatchesTheVectorFile() throws {
        let file = try JSONDecoder().decode(Signatures.self, from: read("access/signatures.json"))
        let token = try XCTUnwrap(file.tokens.first { $0.alg == "HS256" }).token
        XCTAssertEqual(hs256(file.payload, secret: Data(file.secret.utf8)), token)
    }

    private struct Index: Decodable {
        let cases: Int
        let files: [String: Int]
    }

    private struct Cases: Decodable {
        struct Case: Decodable {
            struct Expect: Decodable {
                let code, subject, payload: String?
                var answer: String { code ?? "\(subject ?? "") \(payload ?? "")" }
            }
            let name, verifier, token: String
            let now: Double
            let expect: Expect
        }
        let cases: [Case]
    }

    private struct Jwks: Decodable {
        struct Case: Decodable {
            let name, token: String
            let alg, jwk, jwks: String?
            let now: Double
            let expect: Cases.Case.Expect
        }
        let count: Int
        let cases: [Case]
    }

    private struct UnfitKeys: Decodable {
        struct Case: Decodable {
            let name, field: String
            let key: Key
        }
        let count: Int
        let cases: [Case]
    }

    private struct Key: Decodable {
        let alg: String
        let kid, secret, publicKey: String?
    }

    private struct Configuration: Decodable {
        struct Policy: Decodable {
            let issuers, audiences: [String]
            let requiredClaims: [String]?
            let subjectClaim: String?
            let leeway, maxAge, legacyMaxLifetime: TimeInterval?
            let maxTokenBytes: UInt32?
        }
        let keys: [Key]
        let policy: Policy
    }

    func testEveryTokenOfTheCorpusHasTheExpectedResult() throws {
        let index = try JSONDecoder().decode(Index.self, from: read("tokens/index.json"))
        let configured = try JSONDecoder().decode(
            [String: Configuration].self, from: read("tokens/verifiers.json"))
        let clock = SetClock()
        let verifiers = try configured.mapValues { try self.makeVerifier(of: $0, clock: clock) }
        var run = 0
        for (file, count) in index.files {
            let cases = try JSONDecoder().decode(Cases.self, from: read("tokens/\(file).json")).cases
            XCTAssertEqual(cases.count, count, file)
            for one in cases {
                clock.set(Date(timeIntervalSince1970: one.now))
                let verifier = try XCTUnwrap(verifiers[one.verifier])
                let answer = try answer { try verifier.verify(token: one.token) }
                XCTAssertEqual(answer, one.expect.answer, "\(file): \(one.name)")
                run += 1
            }
        }
        XCTAssertEqual(run, index.cases)
        print("\(run) tokens of the corpus")
    }

    func testUseKeyOpsAndAlgOfAJwkAreEnforced() throws {
        let policy = AccessPolicy(issuers: ["https://issuer.test"], audiences: ["api"])
        for name in ["key-sets", "single-keys"] {
            let file = try JSONDecoder().decode(Jwks.self, from: read("\(name).json"))
            for one in file.cases {
                let clock = ManualClock(Date(timeIntervalSince1970: one.now))
                let answer = try answer {
                    if let set = one.jwks {
                        return try AccessVerifier.fromJwks(jwks: set, policy: policy, clock: clock)
                            .verify(token: one.token)
                    }
                    let algorithm = try XCTUnwrap(algorithms[one.alg ?? ""], one.name)
                    let material = KeyMaterial.jwk(jwk: try XCTUnwrap(one.jwk))
                    let keys = [VerificationKey(algorithm: algorithm, material: material)]
                    return try verifier(policy, keys: keys, clock: clock).verify(token: one.token)
                }
                XCTAssertEqual(answer, one.expect.answer, "\(name): \(one.name)")
            }
            XCTAssertEqual(file.cases.count, file.count)
            print("\(file.count) of \(name)")
        }
    }

    private func answer(_ verify: () throws -> AccessClaims) throws -> String {
        do {
            let claims = try verify()
            return "\(claims.subject) \(claims.payloadJson)"
        } catch let refusal as RegrantError {
            return refusal.code
        }
    }

    func testTheVerifierRejectsEveryUnfitKey() throws {
        let file = try JSONDecoder().decode(UnfitKeys.self, from: read("unfit-keys.json"))
        for one in file.cases {
            let refusal = try refusal(one.name) { try verifier(keys: [self.key(of: one.key)]) }
            XCTAssertEqual(refusal.code, "ERR_CONFIG_INVALID", one.name)
            XCTAssertEqual(refusal.field, one.field, one.name)
        }
        XCTAssertEqual(file.cases.count, file.count)
        print("\(file.count) unfit keys")
    }

    private func key(of key: Key) throws -> VerificationKey {
        let material: KeyMaterial = if let secret = key.secret {
            .secret(bytes: try bytes(ofBase64url: secret))
        } else {
            .publicPem(pem: try XCTUnwrap(key.publicKey))
        }
        let algorithm = try XCTUnwrap(algorithms[key.alg], key.alg)
        return VerificationKey(algorithm: algorithm, material: material, kid: key.kid)
    }

    private func makeVerifier(of configuration: Configuration, clock: Clock) throws -> AccessVerifier {
        let policy = configuration.policy
        return try AccessVerifier(
            keys: configuration.keys.map { try self.key(of: $0) },
            policy: AccessPolicy(
                issuers: policy.issuers, audiences: policy.audiences, leeway: policy.leeway,
                maxAge: policy.maxAge, requiredClaims: policy.requiredClaims ?? [],
                subjectClaim: policy.subjectClaim, maxTokenBytes: policy.maxTokenBytes,
                legacy: policy.legacyMaxLifetime.map { LegacyTokens(maxLifetime: $0) }),
            clock: clock)
    }

    private func bytes(ofBase64url text: String) throws -> Data {
        let standard = text.replacingOccurrences(of: "-", with: "+")
            .replacingOccurrences(of: "_", with: "/")
        let padding = String(repeating: "=", count: (4 - standard.count % 4) % 4)
        return try XCTUnwrap(Data(base64Encoded: standard + padding), text)
    }

    /// A clock that each case sets.
    private final class SetClock: Clock, @unchecked Sendable {
        private let lock = NSLock()
        private var instant = Date(timeIntervalSince1970: 0)

        func now() -> Date { lock.withLock { instant } }

        func set(_ instant: Date) { lock.withLock { self.instant = instant } }
    }

    /// Every algorithm by its name in tokens. `name(_:)` keeps the list complete.
    private let algorithms: [String: Algorithm] = Dictionary(
        uniqueKeysWithValues: [
            .hs256, .hs384, .hs512, .rs256, .rs384, .rs512, .ps256, .ps384, .ps512, .es256, .es384,
            .edDsa,
        ].map { (VectorTests.name(of: $0), $0) })

    /// A `switch` without `default`: a new algorithm does not compile until it is added.
    private static func name(of algorithm: Algorithm) -> String {
        switch algorithm {
        case .hs256: "HS256"
        case .hs384: "HS384"
        case .hs512: "HS512"
        case .rs256: "RS256"
        case .rs384: "RS384"
        case .rs512: "RS512"
        case .ps256: "PS256"
        case .ps384: "PS384"
        case .ps512: "PS512"
        case .es256: "ES256"
        case .es384: "ES384"
        case .edDsa: "EdDSA"
        }
    }

    private func name(of advice: Advice) -> String {
        switch advice {
        case .refresh: "refresh"
        case .signIn: "sign_in"
        case .reject: "reject"
        case .retry: "retry"
        case .fix: "fix"
        }
    }
}
