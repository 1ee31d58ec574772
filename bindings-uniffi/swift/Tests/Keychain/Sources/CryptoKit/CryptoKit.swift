import Foundation

public enum SecureEnclave {
    /// Set by the tests.
    public static var isAvailable = true
}

public enum SHA256 {
    /// No SHA-256: 32 bytes that differ for different data of the tests.
    public static func hash(data: Data) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 32)
        for (index, byte) in data.enumerated() { bytes[index % 32] = bytes[index % 32] &* 31 &+ byte }
        return bytes
    }
}
