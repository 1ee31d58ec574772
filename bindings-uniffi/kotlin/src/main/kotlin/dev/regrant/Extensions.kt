package dev.regrant

import java.security.PublicKey
import java.time.Duration

// Kotlin and JDK idioms for the generated types.

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

/** The value of the claim [name]; `null` if absent. */
fun AccessClaims.claim(name: String): ClaimValue? = claims[name]

/** The value as a string; `null` if it has another type. */
fun ClaimValue.asText(): String? = (this as? ClaimValue.Text)?.value

/** The value as an integer; `null` if it has another type. */
fun ClaimValue.asLong(): Long? = (this as? ClaimValue.Integer)?.value

/** The value as a number, integer or not; `null` if it has another type. */
fun ClaimValue.asDouble(): Double? = when (this) {
    is ClaimValue.Integer -> value.toDouble()
    is ClaimValue.Number -> value
    else -> null
}

/** The value as a boolean; `null` if it has another type. */
fun ClaimValue.asBoolean(): Boolean? = (this as? ClaimValue.Flag)?.value

/** An array or object as JSON text, for a JSON library; `null` if it has another type. */
fun ClaimValue.asJson(): String? = (this as? ClaimValue.Json)?.json

/**
 * A verification key from a JDK key, as from `KeyFactory`, `KeyStore` or `X509Certificate`.
 *
 * The constructor of the verifier checks that it fits [algorithm].
 *
 * @throws IllegalArgumentException if the key has no encoded form (SPKI).
 */
fun VerificationKey.Companion.of(algorithm: Algorithm, publicKey: PublicKey, kid: String? = null): VerificationKey {
    val der = requireNotNull(publicKey.encoded) { "the public key has no encoded form" }
    return VerificationKey(algorithm, KeyMaterial.PublicDer(der), kid)
}

/** Adapts a JDK clock for [AccessVerifier] and [Session], for example `Clock.fixed(…)` in tests. */
fun java.time.Clock.asRegrantClock(): Clock {
    val clock = this
    return object : Clock {
        override fun now() = clock.instant()
    }
}
