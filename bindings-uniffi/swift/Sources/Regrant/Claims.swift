extension AccessClaims {
    /// The value of the claim `name`; `nil` if absent.
    public subscript(name: String) -> ClaimValue? { claims[name] }
}

extension ClaimValue {
    /// The value as a string; `nil` if it has another type.
    public var stringValue: String? {
        if case .text(let value) = self { value } else { nil }
    }

    /// The value as an integer; `nil` if it has another type.
    public var integerValue: Int64? {
        if case .integer(let value) = self { value } else { nil }
    }

    /// The value as a number, integer or not; `nil` if it has another type.
    public var doubleValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The value as a boolean; `nil` if it has another type.
    public var boolValue: Bool? {
        if case .flag(let value) = self { value } else { nil }
    }

    /// An array or object as JSON text, for `JSONDecoder`; `nil` if it has another type.
    public var jsonValue: String? {
        if case .json(let text) = self { text } else { nil }
    }
}
