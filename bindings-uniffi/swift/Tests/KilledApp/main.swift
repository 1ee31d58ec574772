// KilledApp REFRESH_URL FILE MOMENT: an app that dies in the middle of a refresh, after the server
// has answered. A part of the end-to-end tests.

import Foundation
import Regrant

enum Moment: String {
    /// The answer has come, and nobody has read it.
    case answered
    /// It is about to be stored.
    case storing
    /// Half of it is in a file beside the one that counts.
    case halfStored
    /// It is stored, and nobody knows yet.
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
// It was good still: another one all the same.
_ = try await session.renew(rejected: token)
