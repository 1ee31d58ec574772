import Foundation
import XCTest

import Regrant

/// What a session makes of its storage.
final class StorageTests: XCTestCase {
    private let url = URL(string: "https://server.example/auth/refresh")!

    func testALostStorageSignsOutAndTheNextLoginWorks() async throws {
        let fixture = try SessionFixture()
        let storage = LostStorage()
        let session = try Session(
            config: SessionConfig(endpoint: RefreshEndpoint(url: "https://server.example/refresh")),
            transport: fixture.transport, storage: storage, clock: fixture.clock)
        do {
            _ = try await session.accessToken()
            XCTFail("the content is lost")
        } catch let refusal as RegrantError {
            XCTAssertEqual(refusal.signOut, .storageLost)
        }
        let (access, refresh) = pair(0, at: now)
        try await session.signIn(pair: TokenPair(accessToken: access, refreshToken: refresh))
        let token = try await session.accessToken()
        XCTAssertEqual(token, access)
    }

    func testAMissingFolderIsNamed() async throws {
        let fixture = try SessionFixture()
        let session = try Session(
            config: SessionConfig(endpoint: RefreshEndpoint(url: "https://server.example/refresh")),
            transport: fixture.transport, storage: FileStorage(path: "/no/such/folder/session"),
            clock: fixture.clock)
        let (access, refresh) = pair(0, at: now)
        do {
            try await session.signIn(pair: TokenPair(accessToken: access, refreshToken: refresh))
            XCTFail("there is no folder")
        } catch let refusal as RegrantError {
            XCTAssertEqual(refusal.detail, "the folder of the token storage does not exist")
        }
    }

    /// Whatever a storage throws, and a call that takes longer than the session's timeout, is a failure that ends.
    func testAStorageThatFailsIsATemporaryFailure() async throws {
        for fault in FailingStorage.Fault.allCases {
            for operation in FailingStorage.Operation.allCases {
                try await fail(FailingStorage(operation, fault), "\(operation) \(fault)")
            }
        }
    }

    private func fail(_ storage: FailingStorage, _ what: String) async throws {
        let config = SessionConfig(
            endpoint: RefreshEndpoint(url: url.absoluteString), lockTimeout: 0.02,
            storageTimeout: 0.02, initialBackoff: 0.001, failureThreshold: 1,
            persistTimeout: 0.05)
        let fixture = try SessionFixture()
        let session = try Session(
            config: config, transport: fixture.transport, storage: storage,
            clock: fixture.clock)
        let (access, refresh) = pair(0, at: now)
        let login = TokenPair(accessToken: access, refreshToken: refresh)
        // The first read, of the start.
        try await inTime { for await state in session.states where state != .unknown { break } }
        storage.fails = true
        do {
            try await inTime { try await session.signIn(pair: login) }
            XCTAssert(storage.operation == .read || storage.operation == .clear, "a sign-in locks and writes")
            if storage.operation == .clear {
                _ = try await inTime { try? await session.signOut() }
            } else {
                fixture.clock.advance(lifetime)
                _ = try await inTime { try await session.accessToken() }
                XCTFail("the storage fails: \(what)")
            }
        } catch let refusal as RegrantError {
            XCTAssertEqual(refusal.advice, .retry, what)
            XCTAssertEqual(refusal.code, "ERR_STORE_UNAVAILABLE", what)
        }
        storage.fails = false
        // On a busy machine a storage that works may take longer than the timeout.
        try await inTime { while (try? await session.signIn(pair: login)) == nil {} }
        _ = try await inTime { try await session.accessToken() }
    }

    func testTheStateIsKnownWithoutACall() async throws {
        let fixture = try SessionFixture()
        try await fixture.signIn()
        let session = try Session(
            refreshingAt: url, storage: fixture.storage, transport: fixture.transport)
        let known = try await inTime {
            for await state in session.states where state != .unknown { return state }
            return SessionState.unknown
        }
        XCTAssertEqual(known, .signedIn)
        XCTAssertTrue(fixture.transport.requests.isEmpty)
    }
}

/// A storage one operation of which hangs or throws.
private final class FailingStorage: TokenStorage, @unchecked Sendable {
    enum Operation: CaseIterable { case read, write, clear, lock }
    enum Fault: CaseIterable { case hangs, throwsError }

    let operation: Operation
    private let fault: Fault
    private let memory = inMemoryStorage()
    private let guarded = NSLock()
    private var isFailing = false

    init(_ operation: Operation, _ fault: Fault) {
        self.operation = operation
        self.fault = fault
    }

    var fails: Bool {
        get { guarded.withLock { isFailing } }
        set { guarded.withLock { isFailing = newValue } }
    }

    private func begin(_ begun: Operation) async throws {
        guard fails, begun == operation else { return }
        switch fault {
        case .hangs: try await Task.sleep(nanoseconds: 3_600_000_000_000)
        case .throwsError: throw POSIXError(.ENOSPC)
        }
    }

    func read() async throws -> Data? {
        try await begin(.read)
        return try await memory.read()
    }

    func write(value: Data) async throws {
        try await begin(.write)
        try await memory.write(value: value)
    }

    func clear() async throws {
        try await begin(.clear)
        try await memory.clear()
    }

    func lock() async throws { try await begin(.lock) }
    func unlock() throws {}
}

/// A storage whose content is lost until it is cleared.
private final class LostStorage: TokenStorage, @unchecked Sendable {
    private let memory = inMemoryStorage()
    private let guarded = NSLock()
    private var isLost = true

    private func check() throws {
        if guarded.withLock({ isLost }) { throw CallbackError.Lost(reason: "the key is gone") }
    }

    func read() async throws -> Data? {
        try check()
        return try await memory.read()
    }

    func write(value: Data) async throws {
        try check()
        try await memory.write(value: value)
    }

    func clear() async throws {
        guarded.withLock { isLost = false }
        try await memory.clear()
    }

    func lock() async throws {}
    func unlock() throws {}
}
