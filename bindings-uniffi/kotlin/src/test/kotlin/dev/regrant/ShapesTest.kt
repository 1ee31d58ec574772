package dev.regrant

import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows

/** Servers of other shapes than regrant's. */
class ShapesTest {
    private val server = FakeServer()

    private fun session(endpoint: RefreshEndpoint) = Session(SessionConfig(endpoint), server, FakeStorage(), clock = ManualClock(NOW))

    private fun bodies() = server.requests.map { it.body.decodeToString() }

    private val oauth2 = RefreshEndpoint(
        "https://login.example/token", EndpointShape.O_AUTH2, logoutUrl = "https://login.example/revoke", clientId = "my app",
    )
    private val wrapped = RefreshEndpoint("https://api.example/auth/refresh", envelope = "data")
    private val byteOrderMark = "\uFEFF"

    @Test
    fun `an OAuth 2 server is asked in its own format`() = runBlocking {
        val login = """{"access_token":"a1","token_type":"Bearer","expires_in":900,"refresh_token":"r1"}"""
        assertNull(readLogin(login.toByteArray()))
        session(oauth2).use { session ->
            session.signIn(checkNotNull(readLogin(login.toByteArray(), oauth2)))
            server.answer = { json(200, """{"access_token":"a2","token_type":"Bearer","expires_in":900,"refresh_token":"r2"}""") }
            assertEquals("a2", session.renew("a1"))
            assertEquals(SignOutOutcome.REVOKED, session.signOut())
            val expected = listOf(
                "grant_type=refresh_token&refresh_token=r1&client_id=my%20app",
                "token=r2&token_type_hint=refresh_token&client_id=my%20app",
            )
            assertEquals(expected, bodies())
            assertEquals(listOf(oauth2.url, oauth2.logoutUrl), server.requests.map { it.url })
        }
    }

    @Test
    fun `the error invalid_grant signs out, and no other error`(): Unit = runBlocking {
        session(oauth2).use { session ->
            session.signIn(TokenPair("a1", "r1"))
            server.answer = { json(400, """{"error":"invalid_client"}""", "Retry-After" to "250") }
            assertEquals(Advice.RETRY, assertThrows<RegrantException> { runBlocking { session.renew("a1") } }.advice)
        }
        session(oauth2).use { session ->
            session.signIn(TokenPair("a1", "r1"))
            server.answer = { json(400, """{"error":"invalid_grant"}""") }
            val refusal = assertThrows<RegrantException> { runBlocking { session.renew("a1") } }
            assertEquals(SignOutReason.Rejected(null), refusal.signOut)
        }
    }

    @Test
    fun `an envelope is unwrapped, of a login, a refresh and an error`(): Unit = runBlocking {
        val login = """{"data":{"accessToken":"a1","refreshToken":"r1"}}"""
        assertNull(readLogin(login.toByteArray()))
        session(wrapped).use { session ->
            session.signIn(checkNotNull(readLogin(login.toByteArray(), wrapped)))
            server.answer = { json(200, """{"data":{"accessToken":"a2","refreshToken":"r2"}}""") }
            assertEquals("a2", session.renew("a1"))
        }
        session(wrapped).use { session ->
            session.signIn(TokenPair("a1", "r1"))
            server.answer = { json(401, """{"data":{"error":{"code":"ERR_REFRESH_EXPIRED"}}}""") }
            assertEquals(SignOutReason.Expired, assertThrows<RegrantException> { runBlocking { session.renew("a1") } }.signOut)
        }
    }

    /** It is no JSON, but some servers send it. */
    @Test
    fun `a byte order mark is skipped`() = runBlocking {
        val pair = checkNotNull(readLogin("$byteOrderMark{\"accessToken\":\"a1\",\"refreshToken\":\"r1\"}".toByteArray()))
        session(ENDPOINT).use { session ->
            session.signIn(pair)
            server.answer = { json(200, "$byteOrderMark{\"accessToken\":\"a2\",\"refreshToken\":\"r2\"}") }
            assertEquals("a2", session.renew("a1"))
        }
    }
}
