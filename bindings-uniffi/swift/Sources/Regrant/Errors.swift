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
