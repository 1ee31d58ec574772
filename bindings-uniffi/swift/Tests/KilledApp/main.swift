// KilledApp REFRESH_URL FILE MOMENT: an app that is killed during a refresh, after the server's
// response. A part of the end-to-end tests.

import Foundation
import Regrant

enum Moment: String {
    /// Before the response is read.
    case answered
    /// Before the pair is written.
    case storing
    /// After half of the temporary file was written.
    case halfStored
    /// After the write, before it is reported.
    case stored
}

func strike(_ moment: Moment, at now: Moment) {
    if moment == now { kill(getpid(), SIGKILL) }
}

final class FatalTransport: Transport {
    private let inner = URLSessionTransport()
    private let moment: Moment

    init(_ moment: Moment) { self.moment = moment }

    func send(request: HttpRequest) async throws -> HttpResponse {
        let response = try await inner.send(request: request)
        strike(moment, at: .answered)
        return response
    }
}

final class FatalStorage: TokenStorage {
    private let inner: FileStorage
    private let path: String
    private let moment: Moment

    init(path: String, _ moment: Moment) {
        inner = FileStorage(path: path)
        self.path = path
        self.moment = moment
    }

    func read() async throws -> Data? { try await inner.read() }

    func write(value: Data) async throws {
        strike(moment, at: .storing)
        if moment == .halfStored {
            let half = value.prefix(value.count / 2)
            try half.write(to: URL(fileURLWithPath: path + ".next"))
            strike(moment, at: .halfStored)
        }
        try await inner.write(value: value)
        strike(moment, at: .stored)
    }

    func clear() async throws { try await inner.clear() }

    func lock() async throws { try await inner.lock() }

    func unlock() throws { try inner.unlock() }
}

let arguments = CommandLine.arguments
guard arguments.count == 4, let moment = Moment(rawValue: arguments[3]) else {
    fatalError("KilledApp REFRESH_URL FILE MOMENT")
}
let session = try Session(
    config: SessionConfig(endpoint: RefreshEndpoint(url: arguments[1])),
    transport: FatalTransport(moment), storage: FatalStorage(path: arguments[2], moment))
let token = try await session.accessToken()
// The token was still valid: renew it anyway.
_ = try await session.renew(rejected: token)
