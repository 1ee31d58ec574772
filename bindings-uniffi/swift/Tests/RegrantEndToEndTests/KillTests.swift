import Foundation
import XCTest

/// Processes killed between the server's response and the report that the pair is stored.
/// `REGRANT_E2E_KILLS=100` for the long run.
final class KillTests: FolderTestCase {
    /// The names in `KilledApp`.
    private let moments = ["answered", "storing", "halfStored", "stored"]
    /// After this many kills, the server's grace passes before the app is restarted.
    private let late = 5

    func testAnAppKilledDuringARefreshStaysSignedIn() async throws {
        let proxy = try await FaultProxy.open()
        let kills = number("REGRANT_E2E_KILLS", 8)
        try await App(proxy, folder).session.signIn(pair: proxy.signUp("killed"))
        for round in 0..<kills {
            let moment = moments[round % moments.count]
            let about = "round \(round), \(moment)"
            let before = try await proxy.counts().refreshes.granted
            let url = proxy.url.appendingPathComponent("mobile/refresh").absoluteString
            let end = try await Program.run("KilledApp", [url, path(folder), moment])
            XCTAssertEqual(end.reason, .uncaughtSignal, "\(about): \(end.output)")
            XCTAssertEqual(end.status, SIGKILL, about)
            let granted = try await proxy.counts().refreshes.granted
            XCTAssertGreaterThan(granted, before, "\(about): the server had answered")
            if round % late == late - 1 { try await sleep(proxy.grace) }
            // The user restarts the app and uses it until the next refresh.
            let app = try App(proxy, folder)
            try await app.renew()
            let status = try await app.call()
            XCTAssertEqual(status, 200, about)
        }
        let refreshes = try await proxy.counts().refreshes
        XCTAssertEqual(refreshes.arrived, refreshes.grantedOrPutOff)
        report(
            "kills: \(kills) processes killed after the server's answer, \(refreshes.granted) "
                + "refreshes, 0 signed out")
    }
}
