package dev.regrant

import java.security.PrivateKey
import java.security.Signature
import java.time.Duration
import java.time.Instant
import java.util.Base64
import javax.crypto.Mac
import javax.crypto.spec.SecretKeySpec

/** Creates tokens with the JDK only, independently of the library. */
object TestTokens {
    val SECRET = ByteArray(32) { (it + 1).toByte() }
    const val ACCESS = """{"alg":"HS256","typ":"at+jwt"}"""

    fun hs256(payload: String, header: String = ACCESS, secret: ByteArray = SECRET): String = token(header, payload) {
        Mac.getInstance("HmacSHA256").run {
            init(SecretKeySpec(secret, "HmacSHA256"))
            doFinal(it)
        }
    }

    /** [name] is a JDK signature algorithm with the raw output form of RFC 7518 §3. */
    fun signed(name: String, key: PrivateKey, payload: String, header: String): String = token(header, payload) {
        Signature.getInstance(name).run {
            initSign(key)
            update(it)
            sign()
        }
    }

    fun base64url(bytes: ByteArray): String = Base64.getUrlEncoder().withoutPadding().encodeToString(bytes)

    private fun token(header: String, payload: String, sign: (ByteArray) -> ByteArray): String {
        val input = base64url(header.toByteArray()) + "." + base64url(payload.toByteArray())
        return input + "." + base64url(sign(input.toByteArray()))
    }
}

/** A clock that advances only by [advance]. */
class ManualClock(@Volatile var instant: Instant) : Clock {
    override fun now(): Instant = instant

    fun advance(span: Duration) {
        instant += span
    }
}

val NOW: Instant = Instant.ofEpochSecond(1_700_000_000)

/** Claims that are valid from [NOW] for 15 minutes, without a policy. */
fun payload(more: String = ""): String = """{"sub":"user-7","iat":1700000000,"exp":1700000900$more}"""

fun secretKey(kid: String? = null) =
    VerificationKey(Algorithm.HS256, KeyMaterial.Secret(TestTokens.SECRET), kid)

fun verifier(
    policy: AccessPolicy = AccessPolicy(),
    keys: List<VerificationKey> = listOf(secretKey()),
    clock: Clock = ManualClock(NOW),
) = AccessVerifier(keys, policy, clock)
