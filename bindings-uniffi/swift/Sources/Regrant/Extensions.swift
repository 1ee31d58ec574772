import Foundation

// The generated error has one case. These properties avoid the pattern match.
extension RegrantError {
    /// The stable code, for example `ERR_TOKEN_EXPIRED`.
    public var code: String {
        switch self { case .Failed(let code, _, _, _, _, _, _, _): code }
    }

    /// What the caller should do. A closed list: a `switch` needs no `default`.
    public var advice: Advice {
        switch self { case .Failed(_, let advice, _, _, _, _, _, _): advice }
    }

    /// The HTTP status that a server answers with.
    public var status: Int {
        switch self { case .Failed(_, _, let status, _, _, _, _, _): Int(status) }
    }

    /// The English text of the code.
    public var text: String {
        switch self { case .Failed(_, _, _, let text, _, _, _, _): text }
    }

    /// Details beyond the text: the name of a claim, or the problem with a field.
    public var detail: String? {
        switch self { case .Failed(_, _, _, _, let detail, _, _, _): detail }
    }

    /// The path of the invalid configuration field, or the name of the claim.
    public var field: String? {
        switch self { case .Failed(_, _, _, _, _, let field, _, _): field }
    }

    /// Why the user must sign in; only from a `Session` with the advice `.signIn`.
    public var signOut: SignOutReason? {
        switch self { case .Failed(_, _, _, _, _, _, let signOut, _): signOut }
    }

    /// How many seconds to wait before a retry; 0 if an immediate retry is fine. Only from a
    /// `Session` with the advice `.retry`.
    public var retryAfter: TimeInterval? {
        switch self { case .Failed(_, _, _, _, _, _, _, let retryAfter): retryAfter }
    }

    /// The static properties of the code: its messages for users, and the `WWW-Authenticate`
    /// header. For a code that this version does not know, they are those of the error itself.
    public var info: ErrorInfo {
        errorInfo(code: code)
            ?? ErrorInfo(
                code: code, advice: advice, status: Int32(status), wwwAuthenticate: nil,
                messages: ErrorMessages(en: text, ko: text))
    }
}

extension RegrantError: CustomStringConvertible, LocalizedError {
    /// For developers: the code, its English text and the detail. `info.messages` is for users.
    public var description: String {
        "\(code): \(text)" + (detail.map { ": \($0)" } ?? "")
    }

    /// See `description`.
    public var errorDescription: String? { description }
}

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

// Printed values contain neither secrets nor the app's claims. The texts come from the core
// (`debugDescription`); the mirrors prevent `dump` and other reflection from showing properties.

extension AccessClaims: CustomStringConvertible, CustomReflectable {
    /// The subject, the session and the expiry, without the app's claims.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension DecodedToken: CustomStringConvertible, CustomReflectable {
    /// The names of the header parameters and of the claims, without their values.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension KeyMaterial: CustomStringConvertible, CustomReflectable {
    /// The kind of the key, without its bytes.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension TokenPair: CustomStringConvertible, CustomReflectable {
    /// The name of the type.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension RefreshEndpoint: CustomStringConvertible, CustomReflectable {
    /// The URL and the shape, without the headers.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension SessionConfig: CustomStringConvertible, CustomReflectable {
    /// The settings, and the endpoint without its headers.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension HttpRequest: CustomStringConvertible, CustomReflectable {
    /// The method and the URL.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension HttpResponse: CustomStringConvertible, CustomReflectable {
    /// The status.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

extension HttpHeader: CustomStringConvertible, CustomReflectable {
    /// The name, without the value.
    public var description: String { debugDescription }

    /// Shows no property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}
