import Foundation

// The part of Apple's framework that `Keychain.swift` uses, over items in memory.

public typealias OSStatus = Int32
public typealias CFString = String
public typealias CFData = Data
public typealias CFDictionary = [String: Any]
public typealias CFTypeRef = Any
public typealias CFIndex = Int

public let errSecSuccess: OSStatus = 0
public let errSecInternalComponent: OSStatus = -2070
public let errSecDuplicateItem: OSStatus = -25299
public let errSecItemNotFound: OSStatus = -25300
public let errSecInteractionNotAllowed: OSStatus = -25308
public let errSecDecode: OSStatus = -26275

public let kSecClass = "class"
public let kSecClassGenericPassword = "genp"
public let kSecClassKey = "keys"
public let kSecAttrService = "svce"
public let kSecAttrAccount = "acct"
public let kSecAttrAccessGroup = "agrp"
public let kSecAttrSynchronizable = "sync"
public let kSecAttrAccessible = "pdmn"
public let kSecAttrAccessibleAfterFirstUnlockThisDeviceOnly = "cku"
public let kSecAttrAccessControl = "accc"
public let kSecAttrApplicationTag = "atag"
public let kSecAttrIsPermanent = "perm"
public let kSecAttrKeyClass = "kcls"
public let kSecAttrKeyClassPrivate = "1"
public let kSecAttrKeyType = "type"
public let kSecAttrKeyTypeECSECPrimeRandom = "73"
public let kSecAttrKeySizeInBits = "bsiz"
public let kSecAttrTokenID = "tkid"
public let kSecAttrTokenIDSecureEnclave = "com.apple.setoken"
public let kSecPrivateKeyAttrs = "private"
public let kSecMatchLimit = "m_Limit"
public let kSecMatchLimitOne = "m_LimitOne"
public let kSecReturnData = "r_Data"
public let kSecReturnRef = "r_Ref"
public let kSecUseDataProtectionKeychain = "nleg"
public let kSecValueData = "v_Data"

/// The items, as their attributes.
public enum FakeKeychain {
    public static var items: [CFDictionary] = []
    /// Whether the device was unlocked since it started.
    public static var isUnlocked = true
    /// The status of every use of an item that exists.
    public static var failure: OSStatus?

    static var status: OSStatus {
        failure ?? (isUnlocked ? errSecSuccess : errSecInteractionNotAllowed)
    }

    /// Makes a new keychain.
    public static func reset() {
        items = []
        isUnlocked = true
        failure = nil
    }

    /// Attributes that say how to search, not what.
    static let options = [
        kSecMatchLimit, kSecReturnData, kSecReturnRef, kSecUseDataProtectionKeychain,
    ]
    static let key = "key"

    static func index(of query: CFDictionary) -> Int? {
        let wanted = query.filter { !options.contains($0.key) }
        return items.firstIndex { item in
            wanted.allSatisfy { name, value in item[name].map { areEqual($0, value) } ?? false }
        }
    }

    private static func areEqual(_ left: Any, _ right: Any) -> Bool {
        if let left = left as? Data { return left == right as? Data }
        return "\(left)" == "\(right)"
    }
}

public final class CFAllocator {}

public final class CFError: Error {
    let code: Int
    init(_ status: OSStatus) { code = Int(status) }
}

public func CFErrorGetCode(_ error: CFError) -> CFIndex { error.code }
public func CFErrorGetDomain(_ error: CFError) -> CFString { NSOSStatusErrorDomain }

public typealias Failure = UnsafeMutablePointer<Unmanaged<CFError>?>?

public func SecItemCopyMatching(_ query: CFDictionary, _ result: UnsafeMutablePointer<CFTypeRef?>?)
    -> OSStatus
{
    guard let index = FakeKeychain.index(of: query) else { return errSecItemNotFound }
    guard FakeKeychain.status == errSecSuccess else { return FakeKeychain.status }
    let item = FakeKeychain.items[index]
    result?.pointee = query[kSecReturnRef] == nil ? item[kSecValueData] : item[FakeKeychain.key]
    return errSecSuccess
}

public func SecItemAdd(_ attributes: CFDictionary, _ result: UnsafeMutablePointer<CFTypeRef?>?)
    -> OSStatus
{
    guard FakeKeychain.isUnlocked else { return errSecInteractionNotAllowed }
    FakeKeychain.items.append(attributes)
    return errSecSuccess
}

public func SecItemUpdate(_ query: CFDictionary, _ attributes: CFDictionary) -> OSStatus {
    guard let index = FakeKeychain.index(of: query) else { return errSecItemNotFound }
    guard FakeKeychain.status == errSecSuccess else { return FakeKeychain.status }
    FakeKeychain.items[index].merge(attributes) { _, new in new }
    return errSecSuccess
}

public func SecItemDelete(_ query: CFDictionary) -> OSStatus {
    guard let index = FakeKeychain.index(of: query) else { return errSecItemNotFound }
    FakeKeychain.items.remove(at: index)
    // Of the items that exist.
    FakeKeychain.failure = nil
    return errSecSuccess
}

public final class SecAccessControl {}

public struct SecAccessControlCreateFlags {
    public static let privateKeyUsage = Self()
}

public func SecAccessControlCreateWithFlags(
    _ allocator: CFAllocator?, _ protection: CFTypeRef, _ flags: SecAccessControlCreateFlags,
    _ error: Failure
) -> SecAccessControl? { SecAccessControl() }

public final class SecKey {
    public init() {}
}

public struct SecKeyAlgorithm {
    public static let ecdsaSignatureMessageX962SHA256 = Self()
}

public func SecKeyCreateRandomKey(_ parameters: CFDictionary, _ error: Failure) -> SecKey? {
    guard FakeKeychain.isUnlocked else {
        error?.pointee = Unmanaged.passRetained(CFError(errSecInteractionNotAllowed))
        return nil
    }
    let key = SecKey()
    var item = parameters[kSecPrivateKeyAttrs] as! CFDictionary
    for name in [kSecAttrKeyType, kSecAttrTokenID] { item[name] = parameters[name] }
    item[kSecClass] = kSecClassKey
    item[kSecAttrKeyClass] = kSecAttrKeyClassPrivate
    item[FakeKeychain.key] = key
    FakeKeychain.items.append(item)
    return key
}

public func SecKeyCopyPublicKey(_ key: SecKey) -> SecKey? { key }

/// The same point for every key.
public func SecKeyCopyExternalRepresentation(_ key: SecKey, _ error: Failure) -> CFData? {
    Data([4] + [UInt8](repeating: 0, count: 64))
}

public func SecKeyCreateSignature(
    _ key: SecKey, _ algorithm: SecKeyAlgorithm, _ data: CFData, _ error: Failure
) -> CFData? {
    guard FakeKeychain.isUnlocked else {
        error?.pointee = Unmanaged.passRetained(CFError(errSecInteractionNotAllowed))
        return nil
    }
    return data
}
