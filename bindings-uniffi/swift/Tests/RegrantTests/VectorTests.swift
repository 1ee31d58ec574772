import Foundation
import XCTest

import Regrant

/// The files that every language is held to.
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

    /// `tests/vectors` of the checkout that this file is in.
    private static let vectors = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().appendingPathComponent("../../../../tests/vectors").standardized

    private func read(_ path: String) throws -> Data {
        try Data(contentsOf: Self.vectors.appendingPathComponent(path))
    }

    func testTheErrorCodesAreThoseOfTheVectorFileInAllTheirParts() throws {
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

    func testATokenOfEveryAlgorithmSignedByAnotherProgram() throws {
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

    /// The other tests sign their tokens themselves; this holds what they do it with to the file.
    func testTheTestsSignAsAnotherProgramDoes() throws {
        let file = try JSONDecoder().decode(Signatures.self, from: read("access/signatures.json"))
        let token = try XCTUnwrap(file.tokens.first { $0.alg == "HS256" }).token
        XCTAssertEqual(hs256(file.payload, secret: Data(file.secret.utf8)), token)
    }

    /// Every algorithm by its name in tokens. `name(_:)` keeps the list whole.
    private let algorithms: [String: Algorithm] = Dictionary(
        uniqueKeysWithValues: [
            .hs256, .hs384, .hs512, .rs256, .rs384, .rs512, .ps256, .ps384, .ps512, .es256, .es384,
            .edDsa,
        ].map { (VectorTests.name(of: $0), $0) })

    /// A `switch` without `default`: an algorithm that is added does not compile until it is here.
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
