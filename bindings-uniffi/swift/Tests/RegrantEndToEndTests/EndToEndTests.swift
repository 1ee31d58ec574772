import Foundation
import Regrant
import XCTest

/// An app against the Express example, over a network that fails.
final class EndToEndTests: FolderTestCase {
    func testOneRefreshPerExpiry() async throws {
        let proxy = try await FaultProxy.open()
        let app = try App(proxy, folder)
        try await app.session.signIn(pair: proxy.signUp("calls"))
        for _ in 0..<expiries {
            try await callsAtOnce(app, 100)
            try await proxy.untilExpired()
        }
        try await callsAtOnce(app, 100)
        let counts = try await proxy.counts()
        assertEachRefreshedOnce(counts)
        report(
            "expiries: \(counts.calls["200"] ?? 0) calls, 0 failed; \(expiries) expiries, "
                + "\(counts.refreshes.arrived) refreshes, each asked for once")
    }

    /// Many users with one app each; every third refresh loses its response.
    func testLostResponsesSignNobodyOut() async throws {
        let users = 20
        let proxy = try await FaultProxy.open()
        try await proxy.faults(#"{"lose":0.3}"#)
        var apps: [App] = []
        for user in 0..<users {
            let own = folder.appendingPathComponent("\(user)")
            try FileManager.default.createDirectory(at: own, withIntermediateDirectories: false)
            let app = try App(proxy, own)
            try await app.session.signIn(pair: proxy.signUp("lossy\(user)"))
            apps.append(app)
        }
        var toldLater = 0
        for _ in 0..<expiries {
            try await proxy.untilExpired()
            try await withThrowingTaskGroup(of: (status: Int, again: Int).self) { group in
                for app in apps { group.addTask { try await app.callUntilAnswered() } }
                for try await (status, again) in group {
                    XCTAssertEqual(status, 200)
                    toldLater += again
                }
            }
        }
        let refreshes = try await proxy.counts().refreshes
        XCTAssertEqual(refreshes.grantedOrPutOff, refreshes.arrived)
        XCTAssertGreaterThan(refreshes.lost, 0)
        XCTAssertGreaterThanOrEqual(refreshes.arrived, users * expiries + refreshes.lost)
        report(
            "losses: \(users) users, \(expiries) expiries, \(refreshes.arrived) refreshes, "
                + "\(refreshes.lost) answers lost; \(toldLater) retries, "
                + "0 signed out")
    }

    func testAClockTenMinutesOffChangesNothing() async throws {
        let refreshes = try await withThrowingTaskGroup(of: Int.self) { group in
            for (name, off) in [("ahead", 600), ("behind", -600)] {
                let own = folder.appendingPathComponent(name)
                try FileManager.default.createDirectory(at: own, withIntermediateDirectories: false)
                let proxy = try await FaultProxy.open()
                group.addTask { try await Self.atWrongTime(proxy, own, TimeInterval(off)) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        report("clocks: \(refreshes) refreshes 10 minutes ahead and behind, 0 failed")
    }

    private static func atWrongTime(
        _ proxy: FaultProxy, _ own: URL, _ off: TimeInterval
    ) async throws -> Int {
        var app = try App(proxy, own, clockOff: off)
        try await app.session.signIn(pair: proxy.signUp("wrong"))
        for _ in 0..<expiries {
            try await callsAtOnce(app, 10)
            // The next run of the app knows the server's time too.
            app = try App(proxy, own, clockOff: off)
            try await callsAtOnce(app, 10)
            try await proxy.untilExpired()
        }
        try await callsAtOnce(app, 10)
        let counts = try await proxy.counts()
        assertEachRefreshedOnce(counts)
        return counts.refreshes.arrived
    }

    func testNetworkFailuresSignNobodyOut() async throws {
        let proxy = try await FaultProxy.open()
        let app = try App(proxy, folder)
        try await app.session.signIn(pair: proxy.signUp("offline"))
        try await proxy.faults(#"{"cut":true}"#)
        try await proxy.untilExpired()
        for _ in 0..<20 {
            do {
                _ = try await app.session.accessToken()
                XCTFail("no token could be had")
            } catch let refusal as RegrantError {
                XCTAssertEqual(refusal.advice, .retry)
            }
        }
        try await proxy.faults("{}")
        let status = try await app.callUntilAnswered().status
        XCTAssertEqual(status, 200)
    }

    /// With the thief refreshing before the app, and after it.
    func testATheftRevokesTheSessionAndTheAppLearnsTheReason() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for how in ["steal", "replay"] {
                let own = folder.appendingPathComponent(how)
                try FileManager.default.createDirectory(at: own, withIntermediateDirectories: false)
                group.addTask { try await Self.theft(how, own) }
            }
            try await group.waitForAll()
        }
    }

    private static func theft(_ how: String, _ own: URL) async throws {
        let proxy = try await FaultProxy.open()
        let app = try App(proxy, own)
        try await app.session.signIn(pair: proxy.signUp("victim"))
        // Restart the app: one run does not renew twice in a row.
        for _ in 0..<2 { try await App(proxy, own).renew() }
        XCTAssertTrue(FileManager.default.fileExists(atPath: path(own)))
        try await proxy.thief(how)
        try await proxy.untilExpired()
        do {
            _ = try await app.call()
            XCTFail("\(how): the session is over")
        } catch let refusal as RegrantError {
            XCTAssertEqual(refusal.advice, .signIn, how)
            XCTAssertEqual(refusal.signOut, .reused, how)
        }
        XCTAssertEqual(app.session.state(), .signedOut(reason: .reused), how)
        try await until("\(how): the storage is cleared") {
            !FileManager.default.fileExists(atPath: path(own))
        }
        report("theft by \(how): the app gets reused, its storage is cleared")
    }

    func testACancelledTaskKeepsThePair() async throws {
        let proxy = try await FaultProxy.open()
        var app: App? = try App(proxy, folder)
        try await app?.session.signIn(pair: proxy.signUp("cancelled"))
        let file = URL(fileURLWithPath: path(folder))
        let before = try Data(contentsOf: file)
        try await proxy.untilExpired()
        try await proxy.faults(#"{"hold":true}"#)
        let call = Task { [app] in try await app?.call() }
        try await proxy.untilHeld(1)
        call.cancel()
        let outcome = await call.result
        XCTAssertThrowsError(try outcome.get()) { XCTAssertTrue($0 is CancellationError, "\($0)") }
        app = nil
        try await proxy.faults("{}")
        try await until("the pair is stored") { try Data(contentsOf: file) != before }
        let arrived = try await proxy.counts().refreshes.arrived
        XCTAssertEqual(arrived, 1)
        let status = try await App(proxy, folder).call()
        XCTAssertEqual(status, 200)
        report("cancelled: the pair of a refresh whose caller gave up is stored")
    }

    /// The refresh token goes to its endpoint and nowhere else.
    func testTheTransportFollowsNoRedirect() async throws {
        let proxy = try await FaultProxy.open()
        let request = HttpRequest(
            method: "GET", url: proxy.url.appendingPathComponent("style").absoluteString,
            headers: [], body: Data())
        let response = try await URLSessionTransport().send(request: request)
        XCTAssertEqual(response.status, 301)
    }
}

private func assertEachRefreshedOnce(_ counts: FaultProxy.Counts, line: UInt = #line) {
    let refreshes = counts.refreshes
    XCTAssertEqual(refreshes.arrived, refreshes.presented, line: line)
    XCTAssertEqual(refreshes.arrived, refreshes.granted, line: line)
    XCTAssertGreaterThanOrEqual(refreshes.arrived, expiries, line: line)
}
