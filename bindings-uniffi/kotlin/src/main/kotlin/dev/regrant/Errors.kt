package dev.regrant

import java.time.Duration

// The generated exception is a sealed class with one case. These properties spare callers the cast.

private val RegrantException.failed: RegrantException.Failed
    get() = when (this) {
        is RegrantException.Failed -> this
    }

/** The stable code, for example `ERR_TOKEN_EXPIRED`: the same in every language. */
val RegrantException.code: String get() = failed.code

/** What the caller should do now. A closed list: a `when` over it needs no `else`. */
val RegrantException.advice: Advice get() = failed.advice

/** The HTTP status that a server answers with. */
val RegrantException.status: Int get() = failed.status

/** What there is to say beyond the text of the code: the name of a claim, the problem of a field. */
val RegrantException.detail: String? get() = failed.detail

/** The path of the refused field of the configuration, with `ERR_CONFIG_INVALID`. */
val RegrantException.field: String? get() = failed.field

/** Why the user has to sign in: with [Advice.SIGN_IN] of a session, else `null`. */
val RegrantException.signOut: SignOutReason? get() = failed.signOut

/** How long to wait before trying again: with [Advice.RETRY] of a session, else `null`. */
val RegrantException.retryAfter: Duration? get() = failed.retryAfter

/** What else is fixed about the code: its texts for people, and the `WWW-Authenticate` header. */
val RegrantException.info: ErrorInfo
    get() = checkNotNull(errorInfo(code)) { "$code is not a code of this version" }
