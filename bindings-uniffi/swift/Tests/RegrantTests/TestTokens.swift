import Foundation
import XCTest

import Regrant

let secret = Data(1...32)
let accessHeader = #"{"alg":"HS256","typ":"at+jwt"}"#
/// `payload()` is valid from this instant for 15 minutes, without a policy.
let now = Date(timeIntervalSince1970: 1_700_000_000)

/// A token created independently of the library.
func hs256(_ payload: String, header: String = accessHeader, secret: Data = secret) -> String {
    let input = base64url(Data(header.utf8)) + "." + base64url(Data(payload.utf8))
    return input + "." + base64url(hmacSha256(Data(input.utf8), key: secret))
}

func payload(_ more: String = "") -> String {
    #"{"sub":"user-7","iat":1700000000,"exp":1700000900"# + more + "}"
}

func base64url(_ bytes: Data) -> String {
    bytes.base64EncodedString()
        .replacingOccurrences(of: "+", with: "-")
        .replacingOccurrences(of: "/", with: "_")
        .replacingOccurrences(of: "=", with: "")
}

func secretKey(kid: String? = nil) -> VerificationKey {
    VerificationKey(algorithm: .hs256, material: .secret(bytes: secret), kid: kid)
}

func verifier(
    _ policy: AccessPolicy = AccessPolicy(), keys: [VerificationKey] = [secretKey()],
    clock: Clock = ManualClock(now)
) throws -> AccessVerifier {
    try AccessVerifier(keys: keys, policy: policy, clock: clock)
}

/// The error that `body` throws; the test fails without one.
func refusal<T>(
    _ about: String = "", file: StaticString = #filePath, line: UInt = #line,
    _ body: () throws -> T
) throws -> RegrantError {
    var thrown: Error?
    XCTAssertThrowsError(try body(), about, file: file, line: line) { thrown = $0 }
    return try XCTUnwrap(thrown as? RegrantError, about, file: file, line: line)
}

/// A clock that advances only by `advance`.
final class ManualClock: Clock, @unchecked Sendable {
    private let lock = NSLock()
    private var instant: Date

    init(_ instant: Date) { self.instant = instant }

    func now() -> Date { lock.withLock { instant } }

    func advance(_ span: TimeInterval) { lock.withLock { instant += span } }
}
