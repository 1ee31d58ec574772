extension AccessClaims {
    /// The value of the claim `name`, the app's own claims included; `nil` when it is absent.
    public subscript(name: String) -> ClaimValue? { claims[name] }
}

extension ClaimValue {
    /// The value as text; `nil` when it is of another kind.
    public var stringValue: String? {
        if case .text(let value) = self { value } else { nil }
    }

    /// The value as a whole number; `nil` when it is of another kind.
    public var integerValue: Int64? {
        if case .integer(let value) = self { value } else { nil }
    }

    /// The value as a number, whole or not; `nil` when it is of another kind.
    public var doubleValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The value as `true` or `false`; `nil` when it is of another kind.
    public var boolValue: Bool? {
        if case .flag(let value) = self { value } else { nil }
    }

    /// An array or an object as JSON text, for `JSONDecoder`; `nil` when it is of another kind.
    public var jsonValue: String? {
        if case .json(let text) = self { text } else { nil }
    }
}
