package dev.regrant

import java.time.Clock.fixed
import java.time.Duration
import java.time.Instant
import java.time.ZoneOffset
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows

class ExpiryTest {
    private val token = TestTokens.hs256(payload())
    private val exp = Instant.ofEpochSecond(1_700_000_900)
    private val millisecond = Duration.ofMillis(1)

    private fun AccessVerifier.refusal() = assertThrows<RegrantException> { verify(token) }

    @Test
    fun `a token expires at the instant of exp`() {
        val clock = ManualClock(exp - millisecond)
        verifier(clock = clock).use { verifier ->
            assertEquals("user-7", verifier.verify(token).subject)
            clock.advance(millisecond)
            val refusal = verifier.refusal()
            assertEquals("ERR_TOKEN_EXPIRED", refusal.code)
            assertEquals(Advice.REFRESH, refusal.advice)
            assertEquals(401, refusal.status)
            clock.advance(Duration.ofDays(400))
            assertEquals("ERR_TOKEN_EXPIRED", verifier.refusal().code)
        }
    }

    @Test
    fun `leeway extends exp exactly`() {
        val clock = ManualClock(exp + Duration.ofSeconds(30) - millisecond)
        verifier(AccessPolicy(leeway = Duration.ofSeconds(30)), clock = clock).use { verifier ->
            assertEquals(exp, verifier.verify(token).expiresAt)
            clock.advance(millisecond)
            assertEquals("ERR_TOKEN_EXPIRED", verifier.refusal().code)
        }
    }

    @Test
    fun `maxAge rejects a token before its exp`() {
        val clock = ManualClock(NOW + Duration.ofSeconds(60) - millisecond)
        verifier(AccessPolicy(maxAge = Duration.ofSeconds(60)), clock = clock).use { verifier ->
            verifier.verify(token)
            clock.advance(millisecond)
            assertEquals("ERR_TOKEN_EXPIRED", verifier.refusal().code)
        }
    }

    @Test
    fun `accepts a JDK clock`() {
        verifier(clock = fixed(exp, ZoneOffset.UTC).asRegrantClock()).use {
            assertEquals("ERR_TOKEN_EXPIRED", it.refusal().code)
        }
    }

    @Test
    fun `a throwing clock fails the verification only`() {
        val broken = object : Clock {
            override fun now(): Instant = throw UnsupportedOperationException("no time")
        }
        verifier(clock = broken).use { verifier ->
            val failure = assertThrows<InternalException> { verifier.verify(token) }
            assertTrue(checkNotNull(failure.message).contains("no time"), failure.message)
        }
    }

    @Test
    fun `the default is the system clock`() {
        val inAnHour = Instant.now().epochSecond + 3600
        AccessVerifier(listOf(secretKey()), AccessPolicy()).use { verifier ->
            assertEquals("ERR_TOKEN_EXPIRED", verifier.refusal().code)
            assertEquals("u", verifier.verify(TestTokens.hs256("""{"sub":"u","exp":$inAnHour}""")).subject)
        }
    }
}
