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
    fun `a token ends at the very instant of exp`() {
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
    fun `leeway moves the end and not by more`() {
        val clock = ManualClock(exp + Duration.ofSeconds(30) - millisecond)
        verifier(AccessPolicy(leeway = Duration.ofSeconds(30)), clock = clock).use { verifier ->
            assertEquals(exp, verifier.verify(token).expiresAt)
            clock.advance(millisecond)
            assertEquals("ERR_TOKEN_EXPIRED", verifier.refusal().code)
        }
    }

    @Test
    fun `maxAge ends a token before its exp`() {
        val clock = ManualClock(NOW + Duration.ofSeconds(60) - millisecond)
        verifier(AccessPolicy(maxAge = Duration.ofSeconds(60)), clock = clock).use { verifier ->
            verifier.verify(token)
            clock.advance(millisecond)
            assertEquals("ERR_TOKEN_EXPIRED", verifier.refusal().code)
        }
    }

    @Test
    fun `a clock of the JDK`() {
        verifier(clock = fixed(exp, ZoneOffset.UTC).asRegrantClock()).use {
            assertEquals("ERR_TOKEN_EXPIRED", it.refusal().code)
        }
    }

    @Test
    fun `a clock that throws does not let a token pass, nor ends the process`() {
        val broken = object : Clock {
            override fun now(): Instant = throw UnsupportedOperationException("no time")
        }
        verifier(clock = broken).use { verifier ->
            val failure = assertThrows<InternalException> { verifier.verify(token) }
            assertTrue(checkNotNull(failure.message).contains("no time"), failure.message)
        }
    }

    @Test
    fun `without a clock it is the system's`() {
        val inAnHour = Instant.now().epochSecond + 3600
        AccessVerifier(listOf(secretKey()), AccessPolicy()).use { verifier ->
            assertEquals("ERR_TOKEN_EXPIRED", verifier.refusal().code)
            assertEquals("u", verifier.verify(TestTokens.hs256("""{"sub":"u","exp":$inAnHour}""")).subject)
        }
    }
}
