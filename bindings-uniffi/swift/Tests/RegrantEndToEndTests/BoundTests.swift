import Foundation
import Regrant
import XCTest

/// Apps whose tokens are bound to a key (DPoP, RFC 9449).
final class BoundTests: FolderTestCase {
    func testABoundSessionSurvivesExpiriesWithAnyClock() async throws {
        let refused = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
            for off in [0, 600, -600] {
                let own = folder.appendingPathComponent("\(off)")
                try FileManager.default.createDirectory(at: own, withIntermediateDirectories: false)
                let proxy = try await FaultProxy.open()
                group.addTask { (off, try await Self.overExpiries(proxy, own, TimeInterval(off))) }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        XCTAssertEqual(refused, [0: 0, 600: 1, -600: 1])
        report("bound: \(expiries) expiries each, proofs refused at the login: \(refused.values.sorted()); none later")
    }

    private static func overExpiries(_ proxy: FaultProxy, _ own: URL, _ off: TimeInterval) async throws -> Int {
        let key = CountingKey(try await softwareProofKey(storage: inMemoryStorage()))
        let first = try App(proxy, own, clockOff: off, key: key)
        let refused = try await proxy.signUpBound("bound", first.session)
        for _ in 0..<expiries {
            // A new run of the app.
            let app = try App(proxy, own, clockOff: off, key: key)
            for _ in 0..<2 {
                try await callsAtOnce(app, 20)
                try await proxy.untilExpired()
            }
        }
        let counts = try await proxy.counts()
        XCTAssertEqual(counts.refreshes.arrived, counts.refreshes.granted, "\(counts)")
        XCTAssertGreaterThanOrEqual(counts.refreshes.arrived, expiries, "\(counts)")
        XCTAssertNil(counts.calls["401"], "\(counts)")
        XCTAssertGreaterThanOrEqual(key.signed, counts.calls["200"] ?? 0)
        return refused
    }

    func testStolenBoundTokensAreUselessAndSignNobodyOut() async throws {
        let proxy = try await FaultProxy.open()
        let stored = FileStorage(path: folder.appendingPathComponent("key").path)
        let app = try App(proxy, folder, key: try await softwareProofKey(storage: stored))
        _ = try await proxy.signUpBound("robbed", app.session)
        do {
            try await proxy.thief("steal")
            XCTFail("the thief was let in")
        } catch let problem as Problem {
            XCTAssertTrue(problem.text.contains("ERR_DPOP_PROOF_MISSING"), problem.text)
        }
        try await proxy.untilExpired()
        let status = try await app.call()
        XCTAssertEqual(status, 200)

        let another = try App(proxy, folder, key: try await softwareProofKey(storage: inMemoryStorage()))
        do {
            _ = try await another.call()
            XCTFail("the key is another one")
        } catch let refusal as RegrantError {
            XCTAssertEqual(refusal.signOut, .otherKey)
        }
        // The stored key is loaded again.
        let again = try App(proxy, folder, key: try await softwareProofKey(storage: stored))
        let statusAgain = try await again.call()
        XCTAssertEqual(statusAgain, 200)
        report("stolen: the thief of bound tokens is rejected, the app continues")
    }
}

/// A key implemented by the app.
private final class CountingKey: ProofKey, @unchecked Sendable {
    private let key: ProofKey
    private let guarded = NSLock()
    private var count = 0

    init(_ key: ProofKey) { self.key = key }

    var signed: Int { guarded.withLock { count } }

    func publicKey() throws -> Data { try key.publicKey() }

    func sign(message: Data) throws -> Data {
        guarded.withLock { count += 1 }
        return try key.sign(message: message)
    }
}
