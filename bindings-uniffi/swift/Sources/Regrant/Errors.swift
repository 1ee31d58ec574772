import Foundation

// The generated error has one case. These properties spare callers the pattern.
extension RegrantError {
    /// The stable code, for example `ERR_TOKEN_EXPIRED`: the same in every language.
    public var code: String {
        switch self { case .Failed(let code, _, _, _, _, _, _, _): code }
    }

    /// What the caller should do now. A closed list: a `switch` over it needs no `default`.
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

    /// What there is to say beyond the text of the code: the name of a claim, the problem of a
    /// field.
    public var detail: String? {
        switch self { case .Failed(_, _, _, _, let detail, _, _, _): detail }
    }

    /// The path of the refused field of the configuration, with `ERR_CONFIG_INVALID`.
    public var field: String? {
        switch self { case .Failed(_, _, _, _, _, let field, _, _): field }
    }

    /// Why the user has to sign in; only by a `Session`, and only with the advice `.signIn`.
    public var signOut: SignOutReason? {
        switch self { case .Failed(_, _, _, _, _, _, let signOut, _): signOut }
    }

    /// How many seconds to wait before trying again, 0 when it may be tried at once; only by a
    /// `Session`, and only with the advice `.retry`.
    public var retryAfter: TimeInterval? {
        switch self { case .Failed(_, _, _, _, _, _, _, let retryAfter): retryAfter }
    }

    /// What else is fixed about the code: its texts for people, and the `WWW-Authenticate` header.
    /// For a code that this version does not know, which only an error made by hand can have, it
    /// is what the error itself says.
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
