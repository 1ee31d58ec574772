package dev.regrant

import java.time.Duration
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.TestFactory
import org.junit.jupiter.api.assertThrows

class RefusalTest {
    private class Case(
        val name: String,
        val code: String,
        val token: String,
        val policy: AccessPolicy = AccessPolicy(),
        val detail: String? = null,
    )

    private val valid = TestTokens.hs256(payload())
    private fun with(header: String) = TestTokens.hs256(payload(), header)

    private val cases = listOf(
        Case("empty", "ERR_TOKEN_MALFORMED", ""),
        Case("not three segments", "ERR_TOKEN_MALFORMED", "a.b"),
        Case("with a scheme", "ERR_TOKEN_MALFORMED", "Bearer $valid"),
        Case("padded", "ERR_TOKEN_MALFORMED", "$valid="),
        Case("text that is not ASCII", "ERR_TOKEN_MALFORMED", "토큰.토큰.토큰"),
        Case("a claim twice", "ERR_TOKEN_MALFORMED", TestTokens.hs256(payload(""","sub":"admin""""))),
        Case("too large", "ERR_TOKEN_TOO_LARGE", valid, AccessPolicy(maxTokenBytes = 256u)).let {
            Case(it.name, it.code, TestTokens.hs256(payload(""","pad":"${"x".repeat(256)}"""")), it.policy)
        },
        Case("unsigned", "ERR_ALG_NOT_ALLOWED", with("""{"alg":"none","typ":"at+jwt"}""")),
        Case("another algorithm", "ERR_ALG_NOT_ALLOWED", with("""{"alg":"HS512","typ":"at+jwt"}""")),
        Case("an unknown key", "ERR_KEY_NOT_FOUND", with("""{"alg":"HS256","typ":"at+jwt","kid":"k2"}""")),
        Case("another secret", "ERR_SIGNATURE_INVALID", TestTokens.hs256(payload(), secret = ByteArray(32))),
        Case("crit", "ERR_CRIT_UNSUPPORTED", with("""{"alg":"HS256","typ":"at+jwt","crit":["exp"]}""")),
        Case("b64", "ERR_CRIT_UNSUPPORTED", with("""{"alg":"HS256","typ":"at+jwt","b64":false}""")),
        Case("a refresh token", "ERR_TYP_MISMATCH", with("""{"alg":"HS256","typ":"rt+jwt"}""")),
        Case("no typ", "ERR_TYP_MISMATCH", with("""{"alg":"HS256"}""")),
        Case("not yet valid", "ERR_TOKEN_NOT_YET_VALID", TestTokens.hs256(payload(""","nbf":1700000001"""))),
        Case("expired", "ERR_TOKEN_EXPIRED", TestTokens.hs256("""{"sub":"u","exp":1700000000}""")),
        Case("no issuer", "ERR_ISSUER_MISMATCH", valid, AccessPolicy(issuers = listOf("i"))),
        Case("another issuer", "ERR_ISSUER_MISMATCH", TestTokens.hs256(payload(""","iss":"j"""")), AccessPolicy(issuers = listOf("i"))),
        Case("no audience", "ERR_AUDIENCE_MISMATCH", valid, AccessPolicy(audiences = listOf("a"))),
        Case("another audience", "ERR_AUDIENCE_MISMATCH", TestTokens.hs256(payload(""","aud":"b"""")), AccessPolicy(audiences = listOf("a"))),
        Case("an audience that is not expected", "ERR_AUDIENCE_MISMATCH", TestTokens.hs256(payload(""","aud":"b""""))),
        Case("no exp", "ERR_CLAIM_MISSING", TestTokens.hs256("""{"sub":"u"}"""), detail = "exp"),
        Case("no subject", "ERR_CLAIM_MISSING", TestTokens.hs256("""{"exp":1700000900}"""), detail = "sub"),
        Case("no required claim", "ERR_CLAIM_MISSING", valid, AccessPolicy(requiredClaims = listOf("역할")), "역할"),
        Case("bound to a key", "ERR_DPOP_PROOF_MISSING", TestTokens.hs256(payload(""","cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}"""))),
        Case("exp as text", "ERR_CLAIM_INVALID", TestTokens.hs256("""{"sub":"u","exp":"1700000900"}"""), detail = "exp"),
    )

    @TestFactory
    fun `fails with the code of the core`(): List<DynamicTest> = cases.map { case ->
        dynamicTest("${case.name}: ${case.code}") {
            verifier(case.policy, keys = listOf(secretKey("k1"))).use { verifier ->
                val refusal = assertThrows<RegrantException> { verifier.verify(case.token) }
                assertEquals(case.code, refusal.code)
                assertEquals(case.detail, refusal.detail)
                assertEquals(case.code, refusal.info.code)
                assertEquals(refusal.info.advice, refusal.advice)
                assertEquals(refusal.info.status, refusal.status)
                val message = checkNotNull(refusal.message)
                assertTrue(message.contains(case.code), message)
                assertFalse(case.token.length > 8 && message.contains(case.token), "the message holds the token")
            }
        }
    }

    @Test
    fun `the cases cover every code of verify`() {
        // Codes of sessions, stores, transport, configuration, and of an absent header.
        val elsewhere = setOf(
            "ERR_TOKEN_MISSING", "ERR_REFRESH_EXPIRED", "ERR_SESSION_UNKNOWN", "ERR_SESSION_REVOKED", "ERR_REFRESH_REUSED",
            "ERR_SUBJECT_MISMATCH", "ERR_ACCESS_REVOKED", "ERR_STORE_UNAVAILABLE", "ERR_KEYS_UNAVAILABLE", "ERR_TRANSPORT",
            "ERR_DPOP_PROOF_INVALID", "ERR_DPOP_PROOF_REPLAYED", "ERR_DPOP_NONCE_REQUIRED",
            "ERR_REFRESH_SUPERSEDED", "ERR_TOO_MANY_ATTEMPTS", "ERR_CONFIG_INVALID", "ERR_INTERNAL",
            "ERR_INSUFFICIENT_SCOPE", "ERR_LOGIN_TOO_OLD", "ERR_ORIGIN_NOT_ALLOWED", "ERR_NOT_FOUND", "ERR_ARGUMENT_INVALID",
        )
        assertEquals(errorCodes().map { it.code }.toSet() - elsewhere, cases.map { it.code }.toSet())
    }

    @Test
    fun `messages in Korean`() {
        val refusal = verifier().use { verifier -> assertThrows<RegrantException> { verifier.verify("a.b") } }
        assertEquals("토큰의 형식이 일치하지 않습니다.", refusal.info.messages.ko)
        assertEquals("The token is malformed", refusal.info.messages.en)
    }

    @Test
    fun `bearerToken returns the token or fails with a code`() {
        assertEquals(valid, bearerToken("Bearer $valid"))
        assertEquals(valid, bearerToken(" bearer  $valid "))
        for (absent in listOf("", "Bearer", "Basic dTpw", valid)) {
            val refusal = assertThrows<RegrantException>(absent) { bearerToken(absent) }
            assertEquals("ERR_TOKEN_MISSING", refusal.code)
            assertEquals(Advice.SIGN_IN, refusal.advice)
        }
        assertEquals("ERR_TOKEN_MALFORMED", assertThrows<RegrantException> { bearerToken("Bearer a b") }.code)
    }

    @Test
    fun `an invalid configuration names its field`() {
        val pem = KeyMaterial.PublicPem("not a key")
        val short = KeyMaterial.Secret(ByteArray(31))
        val wrong: Map<String, () -> AccessVerifier> = mapOf(
            "keys" to { verifier(keys = emptyList()) },
            "kid" to { verifier(keys = listOf(secretKey("두 번째"))) },
            "secret" to { verifier(keys = listOf(VerificationKey(Algorithm.HS256, short))) },
            "publicKey" to { verifier(keys = listOf(VerificationKey(Algorithm.ES256, pem))) },
            "access.leeway" to { verifier(AccessPolicy(leeway = Duration.ofMinutes(6))) },
            "access.maxTokenBytes" to { verifier(AccessPolicy(maxTokenBytes = 255u)) },
            "access.subjectClaim" to { verifier(AccessPolicy(subjectClaim = "exp")) },
        )
        for ((field, make) in wrong) {
            val refusal = assertThrows<RegrantException>(field) { make() }
            assertEquals("ERR_CONFIG_INVALID", refusal.code, field)
            assertEquals(field, refusal.field)
            assertEquals(Advice.FIX, refusal.advice)
        }
    }

    @Test
    fun `a short secret is accepted only if allowed`() {
        val secret = "비밀".toByteArray()
        val key = VerificationKey(Algorithm.HS256, KeyMaterial.Secret(secret, allowShort = true))
        val claims = verifier(keys = listOf(key)).use { it.verify(TestTokens.hs256(payload(), secret = secret)) }
        assertEquals("user-7", claims.subject)
    }

    @Test
    fun `using a closed verifier throws`() {
        val verifier = verifier()
        verifier.close()
        assertThrows<IllegalStateException> { verifier.verify(valid) }
    }
}
