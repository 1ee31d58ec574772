import Foundation
import XCTest

import Regrant

final class FileStorageTests: XCTestCase {
    private var folder = FileManager.default.temporaryDirectory

    override func setUpWithError() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    override func tearDownWithError() throws {
        try FileManager.default.removeItem(at: folder)
    }

    private var path: String { folder.appendingPathComponent("session").path }

    func testAStoredValueIsReadUntilItIsCleared() async throws {
        let storage = FileStorage(path: path)
        var found = try await storage.read()
        XCTAssertNil(found)
        for value in [Data("first, and longer".utf8), Data("second".utf8), Data()] {
            try await storage.write(value: value)
            found = try await FileStorage(path: path).read()
            XCTAssertEqual(found, value)
        }
        try await storage.clear()
        try await storage.clear()
        found = try await storage.read()
        XCTAssertNil(found)
    }

    func testReadsAFileWrittenByVersion010() async throws {
        let fixture = VectorTests.vectors.appendingPathComponent("upgrade/0.1.0/client/login")
        let stored = try Data(contentsOf: fixture)
        try stored.write(to: URL(fileURLWithPath: path))
        let found = try await FileStorage(path: path).read()
        XCTAssertEqual(found, stored)
        let session = try Session(
            refreshingAt: URL(string: "https://server.example/auth/refresh")!,
            storage: FileStorage(path: path), transport: ScriptedTransport(ManualClock(now)))
        let outcome = try await session.signOut()
        XCTAssertEqual(outcome, .revoked)
        XCTAssertFalse(FileManager.default.fileExists(atPath: path))
    }

    func testTheFilesArePrivate() async throws {
        let storage = FileStorage(path: path)
        try await storage.lock()
        try await storage.write(value: Data("secret".utf8))
        try storage.unlock()
        for file in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            let path = folder.appendingPathComponent(file).path
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
            XCTAssertEqual(mode as? Int, 0o600, file)
        }
    }

    /// `nil` would sign the user out.
    func testIOErrorsAreThrown() async throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        let storage = FileStorage(path: path)
        await assertThrows { _ = try await storage.read() }
        await assertThrows { try await storage.write(value: Data()) }
        await assertThrows { try await storage.clear() }
    }

    func testAPartialWriteHasNoEffect() async throws {
        let storage = FileStorage(path: path)
        try await storage.write(value: Data("whole".utf8))
        try Data("ha".utf8).write(to: URL(fileURLWithPath: path + ".next"))
        var found = try await storage.read()
        XCTAssertEqual(found, Data("whole".utf8))
        try await storage.write(value: Data("n".utf8))
        found = try await storage.read()
        XCTAssertEqual(found, Data("n".utf8))
    }

    /// Two storages over one file exclude each other as two processes do.
    func testTheLockIsExclusive() async throws {
        let (first, second) = (FileStorage(path: path), FileStorage(path: path))
        let third = FileStorage(path: path)
        try await first.lock()
        let order = Order()
        let waiting = Task {
            try await second.lock()
            order.add("second")
            try second.unlock()
        }
        // A cancelled waiter does not hold the lock later.
        let givesUp = Task { try await third.lock() }
        givesUp.cancel()
        await assertThrows { try await givesUp.value }
        order.add("first")
        try first.unlock()
        try await waiting.value
        XCTAssertEqual(order.all, ["first", "second"])
        try await first.lock()
        try first.unlock()
    }
}

/// A log of events, in order.
final class Order: @unchecked Sendable {
    private let lock = NSLock()
    private var entries: [String] = []

    var all: [String] { lock.withLock { entries } }

    func add(_ entry: String) { lock.withLock { entries.append(entry) } }
}

func assertThrows(
    file: StaticString = #filePath, line: UInt = #line, _ body: () async throws -> Void
) async {
    do {
        try await body()
        XCTFail("nothing was thrown", file: file, line: line)
    } catch {}
}
