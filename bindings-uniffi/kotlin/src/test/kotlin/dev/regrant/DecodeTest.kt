package dev.regrant

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows

class DecodeTest {
    @Test
    fun `decodes an unverifiable token`() {
        val token = TestTokens.hs256("""{"sub":"홍길동","exp":1,"roles":["a"]}""", """{"alg":"none","kid":"k"}""")
        val decoded = decodeUnverified(token)
        assertEquals("none", decoded.header["alg"]?.asText())
        assertEquals("k", decoded.header["kid"]?.asText())
        assertEquals("홍길동", decoded.claims["sub"]?.asText())
        assertEquals(1L, decoded.claims["exp"]?.asLong())
        assertEquals("""["a"]""", decoded.claims["roles"]?.asJson())
        assertEquals("""{"exp":1,"roles":["a"],"sub":"홍길동"}""", decoded.claimsJson)
    }

    @Test
    fun `rejects malformed tokens`() {
        for (bad in listOf("", "a.b", "e30.e30.A", "W10.e30.AA")) {
            assertEquals("ERR_TOKEN_MALFORMED", assertThrows<RegrantException>(bad) { decodeUnverified(bad) }.code)
        }
        assertEquals("ERR_TOKEN_TOO_LARGE", assertThrows<RegrantException> { decodeUnverified("a".repeat(65537)) }.code)
    }

    @Test
    fun `text forms contain neither secrets nor the app's claims`() {
        val token = TestTokens.hs256(payload(""","email":"a@example.com""""))
        val claims = verifier().use { it.verify(token) }
        assertTrue(claims.toString().contains("user-7"), claims.toString())
        assertFalse(claims.toString().contains("example.com"), claims.toString())

        val decoded = decodeUnverified(token).toString()
        assertTrue(decoded.contains("email"), decoded)
        assertFalse(decoded.contains("example.com") || decoded.contains("user-7"), decoded)

        val secret = "correct horse battery staple 1234"
        val key = VerificationKey(Algorithm.HS256, KeyMaterial.Secret(secret.toByteArray())).toString()
        assertTrue(key.contains("HS256"), key)
        val digits = secret.toByteArray().joinToString(", ")
        assertFalse(key.contains("horse") || key.contains(digits), key)
    }
}
