import Foundation
import Regrant
import XCTest

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// A fault proxy of the testbed to the Express example: see
/// `tests/clients/README.md`.
struct FaultProxy: Sendable {
    private let control: URL
    /// The server's address for the client.
    let url: URL
    let accessTtl: TimeInterval
    let grace: TimeInterval

    private struct Opened: Decodable {
        let id: String
        let url: URL
        let accessTtl: TimeInterval
        let grace: TimeInterval
    }

    /// The counters of the proxy.
    struct Counts: Decodable {
        struct Refreshes: Decodable {
            let arrived: Int
            let presented: Int
            let granted: Int
            let refused: [String: Int]
            let lost: Int
            let held: Int

            /// How many were granted, or put off (`ERR_REFRESH_SUPERSEDED`): a child whose answer was
            /// lost may be on its way still.
            var grantedOrPutOff: Int { granted + refused["ERR_REFRESH_SUPERSEDED", default: 0] }
        }

        let refreshes: Refreshes
        let calls: [String: Int]
    }

    /// A new proxy. Without a testbed the test is skipped.
    static func open() async throws -> FaultProxy {
        guard let text = ProcessInfo.processInfo.environment["REGRANT_E2E"],
            let bed = URL(string: text)
        else { throw XCTSkip("no testbed: REGRANT_E2E does not say where it is") }
        let answer = try await ask("POST", bed.appendingPathComponent("proxies"))
        let opened = try JSONDecoder().decode(Opened.self, from: answer)
        return FaultProxy(
            control: bed.appendingPathComponent("proxies/\(opened.id)"), url: opened.url,
            accessTtl: opened.accessTtl, grace: opened.grace)
    }

    /// Replaces all faults; JSON.
    func faults(_ json: String) async throws {
        _ = try await Self.ask("PUT", control.appendingPathComponent("faults"), json)
    }

    func counts() async throws -> Counts {
        let answer = try await Self.ask("GET", control.appendingPathComponent("counts"))
        return try JSONDecoder().decode(Counts.self, from: answer)
    }

    /// `steal` or `replay`.
    func thief(_ how: String) async throws {
        _ = try await Self.ask("POST", control.appendingPathComponent(how))
    }

    /// Signs up a new user over the proxy.
    func signUp(_ name: String) async throws -> TokenPair {
        let answer = try await Self.ask("POST", signUpUrl, signUpBody(name))
        return try XCTUnwrap(readLogin(body: answer))
    }

    /// Signs up with tokens bound to the key of `session`; returns the number of rejected proofs.
    func signUpBound(_ name: String, _ session: Session) async throws -> Int {
        let address = signUpUrl.absoluteString
        for refused in 0...1 {
            let proof = try await session.proof(method: "POST", url: address)
            let headers = ["DPoP": try XCTUnwrap(proof)]
            let (body, response) = try await Self.send("POST", signUpUrl, signUpBody(name), headers)
            if session.observeResponse(url: address, response: HttpResponse(head: response)) { continue }
            let pair = try XCTUnwrap(readLogin(body: body), String(decoding: body, as: UTF8.self))
            try await session.signIn(pair: pair)
            return refused
        }
        throw Problem(text: "the second proof was refused too")
    }

    private var signUpUrl: URL { url.appendingPathComponent("mobile/signup") }

    private func signUpBody(_ name: String) -> String {
        #"{"email":"\#(name)-\#(url.port ?? 0)@example.org","password":"correct horse"}"#
    }

    /// Waits until every access token has expired, in real time, which is the server's.
    func untilExpired() async throws { try await sleep(accessTtl) }

    /// Waits until this many responses to refreshes are held.
    func untilHeld(_ count: Int) async throws {
        try await until("a refresh has come") { try await counts().refreshes.held == count }
    }

    private static func ask(
        _ method: String, _ url: URL, _ body: String? = nil
    ) async throws -> Data {
        let (data, response) = try await send(method, url, body)
        let status = response.statusCode
        guard (200..<300).contains(status) else {
            throw Problem(text: "\(url): \(status) \(String(decoding: data, as: UTF8.self))")
        }
        return data
    }

    private static func send(
        _ method: String, _ url: URL, _ body: String?, _ headers: [String: String] = [:]
    ) async throws -> (Data, HTTPURLResponse) {
        var request = URLRequest(url: url)
        request.httpMethod = method
        request.httpBody = body.map { Data($0.utf8) }
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
        let (data, response) = try await URLSession.shared.data(for: request)
        return (data, try XCTUnwrap(response as? HTTPURLResponse))
    }
}

struct Problem: Error, CustomStringConvertible {
    let text: String
    var description: String { text }
}

func sleep(_ seconds: TimeInterval) async throws {
    try await Task.sleep(nanoseconds: UInt64(max(0, seconds) * 1e9))
}

/// Polls a condition, with a timeout.
func until(_ what: String, _ holds: () async throws -> Bool) async throws {
    let asked = Date()
    while !(try await holds()) {
        guard Date().timeIntervalSince(asked) < 60 else { throw Problem(text: "never: \(what)") }
        try await sleep(0.01)
    }
}

/// A number from the environment.
func number(_ name: String, _ fallback: Int) -> Int {
    ProcessInfo.processInfo.environment[name].flatMap(Int.init) ?? fallback
}

/// The number of expiries to test.
let expiries = number("REGRANT_E2E_EXPIRIES", 2)

/// Prints a result for the test report.
func report(_ line: String) { print("e2e: swift: \(line)") }
