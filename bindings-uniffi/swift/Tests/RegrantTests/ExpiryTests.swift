import Foundation
import XCTest

import Regrant

final class ExpiryTests: XCTestCase {
    private let token = hs256(payload())
    private let exp = now + 900
    private let millisecond: TimeInterval = 0.001

    private func assertExpired(_ verifier: AccessVerifier, line: UInt = #line) throws {
        let refusal = try refusal(line: line) { try verifier.verify(token: token) }
        XCTAssertEqual(refusal.code, "ERR_TOKEN_EXPIRED", line: line)
        XCTAssertEqual(refusal.advice, .refresh, line: line)
        XCTAssertEqual(refusal.status, 401, line: line)
    }

    func testATokenExpiresAtTheInstantOfExp() throws {
        let clock = ManualClock(exp - millisecond)
        let verifier = try verifier(clock: clock)
        XCTAssertEqual(try verifier.verify(token: token).subject, "user-7")
        clock.advance(millisecond)
        try assertExpired(verifier)
        clock.advance(400 * 86400)
        try assertExpired(verifier)
    }

    func testLeewayExtendsExpExactly() throws {
        let clock = ManualClock(exp + 30 - millisecond)
        let verifier = try verifier(AccessPolicy(leeway: 30), clock: clock)
        XCTAssertEqual(try verifier.verify(token: token).expiresAt, exp)
        clock.advance(millisecond)
        try assertExpired(verifier)
    }

    func testMaxAgeRejectsATokenBeforeItsExp() throws {
        let clock = ManualClock(now + 60 - millisecond)
        let verifier = try verifier(AccessPolicy(maxAge: 60), clock: clock)
        XCTAssertNoThrow(try verifier.verify(token: token))
        clock.advance(millisecond)
        try assertExpired(verifier)
    }

    func testTheDefaultIsTheSystemClock() throws {
        let verifier = try AccessVerifier(keys: [secretKey()], policy: AccessPolicy())
        try assertExpired(verifier)
        let inAnHour = Int(Date().timeIntervalSince1970) + 3600
        let fresh = hs256(#"{"sub":"u","exp":\#(inAnHour)}"#)
        XCTAssertEqual(try verifier.verify(token: fresh).subject, "u")
    }
}
