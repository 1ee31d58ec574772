import CryptoKit
import Foundation
import Regrant
import Security
import XCTest

final class KeychainTests: XCTestCase {
    override func setUp() {
        FakeKeychain.reset()
        SecureEnclave.isAvailable = true
        FileLock.paths = []
    }

    func testTokensAreStoredReplacedAndDeleted() async throws {
        let storage = KeychainStorage(service: "app", accessGroup: "group")
        let absent = try await storage.read()
        XCTAssertNil(absent)
        for text in ["one", "two"] {
            try await storage.write(value: Data(text.utf8))
            let stored = try await storage.read()
            XCTAssertEqual(stored, Data(text.utf8))
        }
        XCTAssertEqual(FakeKeychain.items.count, 1)
        try await storage.clear()
        try await storage.clear()
        XCTAssertEqual(FakeKeychain.items.count, 0)
    }

    func testTokensAreKeptBeforeTheFirstUnlock() async throws {
        let storage = KeychainStorage(service: "app")
        try await storage.write(value: Data("pair".utf8))
        FakeKeychain.isUnlocked = false
        let failure = await failure { try await storage.read() }
        XCTAssertEqual(failure?.status, errSecInteractionNotAllowed)
        XCTAssertEqual(failure?.localizedDescription, "The Keychain failed: NSOSStatusErrorDomain -25308")
        FakeKeychain.isUnlocked = true
        let stored = try await storage.read()
        XCTAssertEqual(stored, Data("pair".utf8))
    }

    /// As a session does it: it reads, and after the next sign-in it writes, clears and writes again.
    func testAnItemThatCannotBeDecryptedIsLostUntilItIsCleared() async throws {
        let storage = KeychainStorage(service: "app")
        try await storage.write(value: Data("pair".utf8))
        FakeKeychain.failure = errSecDecode
        let lost = CallbackError.Lost(reason: "The Keychain failed: NSOSStatusErrorDomain -26275")
        for operation in [
            { _ = try await storage.read() }, { try await storage.write(value: Data("next".utf8)) },
        ] {
            do {
                try await operation()
                XCTFail("the item cannot be decrypted")
            } catch { XCTAssertEqual(error as? CallbackError, lost) }
        }
        try await storage.clear()
        try await storage.write(value: Data("next".utf8))
        let stored = try await storage.read()
        XCTAssertEqual(stored, Data("next".utf8))
    }

    /// `errSecMissingEntitlement`, `errSecNotAvailable`, `errSecAuthFailed`, `errSecInternalComponent`,
    /// `errSecIO`: the user stays signed in, and the item is kept.
    func testAnyOtherFailureMayPass() async throws {
        let storage = KeychainStorage(service: "app")
        try await storage.write(value: Data("pair".utf8))
        for status: OSStatus in [-34018, -25291, -25293, -2070, -36] {
            FakeKeychain.failure = status
            let failures = [
                await failure { try await storage.read() },
                await failure { try await storage.write(value: Data()) },
            ]
            XCTAssertEqual(failures.map { $0?.status }, [status, status])
        }
        FakeKeychain.failure = nil
        let stored = try await storage.read()
        XCTAssertEqual(stored, Data("pair".utf8))
    }

    func testOnlyAKeyThatCannotBeDecryptedIsReplaced() async throws {
        _ = try await SecureEnclaveKey(name: "proof")
        let first = FakeKeychain.items.first?["key"] as? SecKey
        FakeKeychain.failure = -34018
        let failure = await failure { try await SecureEnclaveKey(name: "proof") }
        XCTAssertEqual(failure?.status, -34018)
        XCTAssertTrue(first === FakeKeychain.items.first?["key"] as? SecKey)
        FakeKeychain.failure = errSecDecode
        _ = try await SecureEnclaveKey(name: "proof")
        XCTAssertEqual(FakeKeychain.items.count, 1)
        XCTAssertFalse(first === FakeKeychain.items.first?["key"] as? SecKey)
    }

    func testAKeyIsCreatedOnceAndDeleted() async throws {
        let key = try await SecureEnclaveKey(name: "proof")
        XCTAssertEqual(try key.publicKey().count, 65)
        XCTAssertEqual(try key.sign(message: Data("m".utf8)), Data("m".utf8))
        _ = try await SecureEnclaveKey(name: "proof")
        XCTAssertEqual(FakeKeychain.items.count, 1)
        _ = try await SecureEnclaveKey(name: "other")
        try await SecureEnclaveKey.delete(name: "proof")
        try await SecureEnclaveKey.delete(name: "proof")
        let tags = FakeKeychain.items.map { $0[kSecAttrApplicationTag] as? Data }
        XCTAssertEqual(tags, [Data("other".utf8)])
    }

    /// The app's own key of the same tag is not used, and not deleted.
    func testOnlyAPrivateKeyInTheEnclaveIsLoaded() async throws {
        let own: CFDictionary = [
            kSecClass: kSecClassKey, kSecAttrKeyType: kSecAttrKeyTypeECSECPrimeRandom,
            kSecAttrApplicationTag: Data("proof".utf8), "key": SecKey(),
        ]
        FakeKeychain.items = [own]
        _ = try await SecureEnclaveKey(name: "proof")
        XCTAssertEqual(FakeKeychain.items.count, 2)
        try await SecureEnclaveKey.delete(name: "proof")
        XCTAssertNil(FakeKeychain.items.first?[kSecAttrTokenID])
        XCTAssertEqual(FakeKeychain.items.count, 1)
    }

    func testAKeyIsKeptBeforeTheFirstUnlock() async throws {
        let key = try await SecureEnclaveKey(name: "proof")
        FakeKeychain.isUnlocked = false
        let failures = [
            await failure { try await SecureEnclaveKey(name: "proof") },
            await failure { try await SecureEnclaveKey(name: "new") },
            await failure { try key.sign(message: Data()) },
        ]
        XCTAssertEqual(failures.map { $0?.status }, Array(repeating: errSecInteractionNotAllowed, count: 3))
        XCTAssertEqual(FakeKeychain.items.count, 1)
    }

    func testADeviceWithoutASecureEnclaveIsRecognized() async {
        SecureEnclave.isAvailable = false
        XCTAssertFalse(SecureEnclaveKey.isAvailable)
        let failure = await failure { try await SecureEnclaveKey(name: "proof") }
        XCTAssertEqual(failure, .noSecureEnclave)
        XCTAssertNil(failure?.status)
    }

    func testLockFilesHaveShortNamesThatDiffer() async throws {
        let long = String(repeating: "com.example.", count: 30)
        _ = KeychainStorage(service: long)
        _ = KeychainStorage(service: long, account: "other")
        _ = try await SecureEnclaveKey(name: long)
        _ = KeychainStorage(service: "app", lockFile: URL(fileURLWithPath: "/group/lock"))
        XCTAssertEqual(Set(FileLock.paths).count, 4)
        XCTAssertEqual(FileLock.paths.last, "/group/lock")
        for path in FileLock.paths {
            XCTAssertLessThan(URL(fileURLWithPath: path).lastPathComponent.utf8.count, 100)
        }
    }

    private func failure<T>(_ work: () async throws -> T) async -> KeychainError? {
        do {
            _ = try await work()
            return nil
        } catch { return error as? KeychainError }
    }
}
