package dev.regrant

import java.time.Duration

// The generated exception is a sealed class with one case. These properties avoid the cast.

private val RegrantException.failed: RegrantException.Failed
    get() = when (this) {
        is RegrantException.Failed -> this
    }

/** The stable code, for example `ERR_TOKEN_EXPIRED`. */
val RegrantException.code: String get() = failed.code

/** What the caller should do. A closed list: a `when` needs no `else`. */
val RegrantException.advice: Advice get() = failed.advice

/** The HTTP status that a server answers with. */
val RegrantException.status: Int get() = failed.status

/** Details beyond the text: the name of a claim, or the problem with a field. */
val RegrantException.detail: String? get() = failed.detail

/** The path of the invalid configuration field, or the name of the claim. */
val RegrantException.field: String? get() = failed.field

/** Why the user must sign in; only from a session with [Advice.SIGN_IN]. */
val RegrantException.signOut: SignOutReason? get() = failed.signOut

/** How long to wait before a retry; only from a session with [Advice.RETRY]. */
val RegrantException.retryAfter: Duration? get() = failed.retryAfter

/** The static properties of the code: its messages for users, and the `WWW-Authenticate` header. */
val RegrantException.info: ErrorInfo
    get() = checkNotNull(errorInfo(code)) { "$code is not a code of this version" }
