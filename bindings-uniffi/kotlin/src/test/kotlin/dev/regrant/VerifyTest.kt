package dev.regrant

import java.security.KeyPairGenerator
import java.security.spec.ECGenParameterSpec
import java.time.Duration
import java.time.Instant
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows

class VerifyTest {
    @Test
    fun `returns every claim of the token`() {
        val payload =
            """{"sub":"사용자-7","sid":"AAECAwQFBgcICQoLDA0ODw","gen":3,"brn":1,"iat":1700000000,"nbf":1699999999.5,""" +
                """"exp":1700000900,"iss":"https://발급자.example","aud":["api","web"],"jti":"t-1",""" +
                """"name":"홍길동","age":42,"score":1.5,"admin":true,"none":null,"roles":["관리자","b"]}"""
        val policy = AccessPolicy(issuers = listOf("https://발급자.example"), audiences = listOf("web"))
        val claims = verifier(policy).use { it.verify(TestTokens.hs256(payload)) }

        assertEquals("사용자-7", claims.subject)
        assertEquals("AAECAwQFBgcICQoLDA0ODw", claims.sessionId)
        assertEquals(3u, claims.generation)
        assertEquals(1u, claims.branch)
        assertEquals(Instant.ofEpochSecond(1_700_000_000), claims.issuedAt)
        assertEquals(Instant.ofEpochMilli(1_699_999_999_500), claims.notBefore)
        assertEquals(Instant.ofEpochSecond(1_700_000_900), claims.expiresAt)
        assertEquals("https://발급자.example", claims.issuer)
        assertEquals(listOf("api", "web"), claims.audience)
        assertEquals("t-1", claims.id)
        assertEquals(payload, claims.payloadJson)

        assertEquals("홍길동", claims.claim("name")?.asText())
        assertEquals(42L, claims.claim("age")?.asLong())
        assertEquals(1.5, claims.claim("score")?.asDouble())
        assertEquals(true, claims.claim("admin")?.asBoolean())
        assertEquals(ClaimValue.Null, claims.claim("none"))
        assertEquals("""["관리자","b"]""", claims.claim("roles")?.asJson())
        assertNull(claims.claim("absent"))
        assertNull(claims.claim("age")?.asText())
    }

    @Test
    fun `absent claims are null`() {
        val claims = verifier().use { it.verify(TestTokens.hs256("""{"sub":"u","exp":1700000900}""")) }
        assertNull(claims.sessionId)
        assertNull(claims.generation)
        assertNull(claims.branch)
        assertNull(claims.issuedAt)
        assertNull(claims.notBefore)
        assertNull(claims.issuer)
        assertEquals(emptyList<String>(), claims.audience)
        assertNull(claims.id)
    }

    @Test
    fun `verifies with JDK keys for RS256, ES256 and EdDSA`() {
        val rsa = KeyPairGenerator.getInstance("RSA").apply { initialize(2048) }.generateKeyPair()
        val ec = KeyPairGenerator.getInstance("EC").apply { initialize(ECGenParameterSpec("secp256r1")) }.generateKeyPair()
        val ed = KeyPairGenerator.getInstance("Ed25519").generateKeyPair()
        val keys = listOf(
            VerificationKey.of(Algorithm.RS256, rsa.public, "rsa-1"),
            VerificationKey.of(Algorithm.ES256, ec.public, "ec-1"),
            VerificationKey.of(Algorithm.ED_DSA, ed.public, "ed-1"),
        )
        fun header(alg: String, kid: String) = """{"alg":"$alg","typ":"at+jwt","kid":"$kid"}"""
        val tokens = listOf(
            TestTokens.signed("SHA256withRSA", rsa.private, payload(), header("RS256", "rsa-1")),
            TestTokens.signed("SHA256withECDSAinP1363Format", ec.private, payload(), header("ES256", "ec-1")),
            TestTokens.signed("Ed25519", ed.private, payload(), header("EdDSA", "ed-1")),
        )
        verifier(keys = keys).use { verifier ->
            for (token in tokens) {
                assertEquals("user-7", verifier.verify(token).subject)
                val forged = token.dropLast(8) + "AAAAAAAA"
                assertEquals("ERR_SIGNATURE_INVALID", assertThrows<RegrantException> { verifier.verify(forged) }.code)
            }
        }
    }

    @Test
    fun `legacy tokens are accepted only if allowed`() {
        val token = TestTokens.hs256("""{"userId":41,"iat":1700000000,"exp":1700003600}""", """{"alg":"HS256","typ":"JWT"}""")
        val policy = AccessPolicy(subjectClaim = "userId", legacy = LegacyTokens())
        assertEquals("41", verifier(policy).use { it.verify(token) }.subject)
        val short = policy.copy(legacy = LegacyTokens(Duration.ofMinutes(59)))
        assertEquals("ERR_CLAIM_INVALID", assertThrows<RegrantException> { verifier(short).use { it.verify(token) } }.code)
        val none = policy.copy(legacy = null)
        assertEquals("ERR_TYP_MISMATCH", assertThrows<RegrantException> { verifier(none).use { it.verify(token) } }.code)
    }
}
