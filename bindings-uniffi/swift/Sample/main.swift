// A user on the command line, against the Express example (`cargo xtask demo`).
//
//   swift run regrant-sample sign-up EMAIL      a new account; asks for a password
//   swift run regrant-sample sign-in EMAIL
//   swift run regrant-sample me                 one call; refreshes the token when needed
//   swift run regrant-sample watch              a call every second, until Ctrl-C
//   swift run regrant-sample sign-out
//
// REGRANT_SERVER is the server (http://localhost:3000), REGRANT_SAMPLE_FILE where the tokens are stored
// (.regrant-sample in the home folder). Concurrent runs share the tokens.

import Foundation
import Regrant

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

let environment = ProcessInfo.processInfo.environment
let server = URL(string: environment["REGRANT_SERVER"] ?? "http://localhost:3000")!
let file = environment["REGRANT_SAMPLE_FILE"] ?? NSHomeDirectory() + "/.regrant-sample"

// The endpoint that refreshes tokens, and the storage. On a phone, use KeychainStorage.
let session = try Session(
    refreshingAt: server.appendingPathComponent("mobile/refresh"), storage: FileStorage(path: file))

do {
    let arguments = CommandLine.arguments.dropFirst()
    switch (arguments.first, arguments.dropFirst().first) {
    case ("sign-up", let email?): try await signIn("mobile/signup", email)
    case ("sign-in", let email?): try await signIn("mobile/login", email)
    case ("me", nil): print(try await me())
    case ("watch", nil): try await watch()
    case ("sign-out", nil): try await signOut()
    default: fail("usage: regrant-sample sign-up EMAIL | sign-in EMAIL | me | watch | sign-out")
    }
} catch let refusal as RegrantError {
    switch refusal.advice {
    case .signIn: fail("Sign in. \(refusal.signOut.map { "(\($0))" } ?? "")")
    case .retry: fail("Try again in \(Int(refusal.retryAfter ?? 0)) s: \(refusal)")
    case .refresh, .reject, .fix: fail("\(refusal)")
    }
} catch {
    fail("\(error.localizedDescription)")
}

/// The app's own request; its response contains the pair that the session manages from then on.
func signIn(_ path: String, _ email: String) async throws {
    var request = URLRequest(url: server.appendingPathComponent(path))
    request.httpMethod = "POST"
    request.setValue("application/json", forHTTPHeaderField: "Content-Type")
    request.httpBody = try JSONEncoder().encode(["email": email, "password": password()])
    let (body, _) = try await URLSession.shared.data(for: request)
    guard let pair = readLogin(body: body) else { fail(String(decoding: body, as: UTF8.self)) }
    try await session.signIn(pair: pair)
    print("signed in")
}

/// A protected resource. Nothing here is about tokens.
func me() async throws -> String {
    let (body, response) = try await session.data(from: server.appendingPathComponent("api/me"))
    return "\(response.statusCode) \(String(decoding: body, as: UTF8.self))"
}

func watch() async throws {
    let states = Task { for await state in session.states { print("state: \(state)") } }
    defer { states.cancel() }
    var last: String?
    while true {
        let token = try await session.accessToken()
        if let last, last != token { print("a new access token") }
        last = token
        let expires = try decodeUnverified(token: token).claims["exp"]?.doubleValue ?? 0
        let left = Int(expires - Date().timeIntervalSince1970)
        print("\(try await me().prefix(3)), the access token lives \(left) s more")
        try await Task.sleep(nanoseconds: 1_000_000_000)
    }
}

/// Deletes the tokens here and revokes the session on the server.
func signOut() async throws {
    let outcome = try await session.signOut()
    print(outcome == .pending ? "signed out; the server is told later" : "signed out")
}

/// Reads a line from the terminal without echo.
func password() -> String {
    FileHandle.standardError.write(Data("Password: ".utf8))
    var settings = termios()
    let isTerminal = tcgetattr(STDIN_FILENO, &settings) == 0
    let shown = settings
    settings.c_lflag &= ~tcflag_t(ECHO)
    if isTerminal { tcsetattr(STDIN_FILENO, TCSANOW, &settings) }
    defer { if isTerminal { var shown = shown; tcsetattr(STDIN_FILENO, TCSANOW, &shown) } }
    return readLine() ?? ""
}

func fail(_ text: String) -> Never {
    FileHandle.standardError.write(Data("\(text)\n".utf8))
    exit(1)
}
