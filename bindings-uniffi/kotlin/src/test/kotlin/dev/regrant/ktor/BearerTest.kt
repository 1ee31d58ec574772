package dev.regrant.ktor

import dev.regrant.Advice
import dev.regrant.DeviceKey
import dev.regrant.ENDPOINT
import dev.regrant.EndpointShape
import dev.regrant.FakeServer
import dev.regrant.FakeStorage
import dev.regrant.ManualClock
import dev.regrant.NOW
import dev.regrant.RefreshEndpoint
import dev.regrant.RegrantException
import dev.regrant.Session
import dev.regrant.SessionConfig
import dev.regrant.advice
import dev.regrant.asText
import dev.regrant.decodeUnverified
import dev.regrant.json
import io.ktor.client.HttpClient
import io.ktor.client.engine.mock.MockEngine
import io.ktor.client.engine.mock.respond
import io.ktor.client.engine.mock.toByteArray
import io.ktor.client.request.get
import io.ktor.client.request.header
import io.ktor.client.request.post
import io.ktor.client.request.setBody
import io.ktor.http.HttpHeaders
import io.ktor.http.HttpStatusCode
import io.ktor.http.content.ChannelWriterContent
import io.ktor.http.content.TextContent
import io.ktor.http.headersOf
import io.ktor.utils.io.ByteReadChannel
import io.ktor.utils.io.writeStringUtf8
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows

class BearerTest {
    private val refreshes = FakeServer()
    private val mine = Session(SessionConfig(ENDPOINT), refreshes, FakeStorage(), clock = ManualClock(NOW))
    private val pair = refreshes.pair()
    private val first = "Bearer ${pair.accessToken}"
    private val seen = mutableListOf<Pair<String?, String?>>()
    private var answer: (String?) -> HttpStatusCode = { HttpStatusCode.OK }

    private val engine = MockEngine { request ->
        val authorization = request.headers[HttpHeaders.Authorization]
        seen += authorization to (request.body as? TextContent)?.text
        if (request.url.encodedPath == "/moved") {
            respond("", HttpStatusCode.Found, headersOf(HttpHeaders.Location, "https://other.example/"))
        } else {
            respond("", answer(authorization))
        }
    }
    private val client = HttpClient(engine) {
        install(Bearer) {
            session = mine
            isProtected = { it.host == "api.example" }
        }
    }

    @AfterEach
    fun end() {
        client.close()
        mine.close()
    }

    @Test
    fun `only protected calls carry a token`(): Unit = runBlocking {
        mine.signIn(pair)
        client.get("https://api.example/me")
        client.get("https://other.example/me")
        client.get("https://api.example/me") { header(HttpHeaders.Authorization, "Basic eA==") }
        assertEquals(listOf(first, null, "Basic eA=="), seen.map { it.first })
        seen.clear()
        client.get("https://api.example/moved")
        assertEquals(listOf(first, null), seen.map { it.first })
    }

    @Test
    fun `a rejected call is retried once with another token and its body`() = runBlocking {
        mine.signIn(pair)
        answer = { if (it == first) HttpStatusCode.Unauthorized else HttpStatusCode.OK }
        assertEquals(200, client.post("https://api.example/me") { setBody("text") }.status.value)
        assertEquals(listOf("text", "text"), seen.map { it.second })
        answer = { HttpStatusCode.Unauthorized }
        assertEquals(401, client.get("https://api.example/me").status.value)
        assertEquals(1, refreshes.requests.size)
    }

    /** The first attempt consumes the channel: the second one would send an empty body, and the server would accept it. */
    @Test
    fun `a body that may be consumed is not repeated, but its token is renewed`() = runBlocking {
        mine.signIn(pair)
        val bodies = mutableListOf<String>()
        val engine = MockEngine { request ->
            bodies += request.body.toByteArray().decodeToString()
            respond("", if (request.headers[HttpHeaders.Authorization] == first) HttpStatusCode.Unauthorized else HttpStatusCode.OK)
        }
        HttpClient(engine) { install(Bearer) { session = mine; isProtected = { true } } }.use { client ->
            suspend fun post(body: Any) = client.post("https://api.example/files") { setBody(body) }.status.value
            assertEquals(401, post(ByteReadChannel("upload")))
            assertEquals(listOf("upload"), bodies)
            assertEquals(200, post(ByteReadChannel("upload")))
        }
        for (body in listOf(ByteReadChannel("upload"), ChannelWriterContent({ writeStringUtf8("upload") }, null))) {
            val next = Session(SessionConfig(ENDPOINT), refreshes, FakeStorage(), clock = ManualClock(NOW))
            next.use {
                next.signIn(pair)
                bodies.clear()
                HttpClient(engine) { install(Bearer) { session = next; isProtected = { true } } }.use { client ->
                    assertEquals(401, client.post("https://api.example/files") { setBody(body) }.status.value)
                    assertEquals(listOf("upload"), bodies)
                }
            }
        }
        Unit
    }

    @Test
    fun `a server of the shape RtVerify needs no code of the app`() = runBlocking {
        val seen = mutableListOf<String?>()
        val engine = MockEngine { request ->
            seen += request.headers["accesstoken"]
            val status = if (seen.last() == first) HttpStatusCode(419, "") else HttpStatusCode.OK
            if (request.url.encodedPath == "/moved") {
                respond("", HttpStatusCode.Found, headersOf(HttpHeaders.Location, "https://other.example/"))
            } else {
                respond("", status)
            }
        }
        refreshes.answer = { json(200, "{\"accessToken\":\"Bearer new\"}") }
        val endpoint = RefreshEndpoint("https://api.example/rtVerify", EndpointShape.RT_VERIFY)
        Session(SessionConfig(endpoint), refreshes, FakeStorage(), clock = ManualClock(NOW)).use { legacy ->
            legacy.signIn(pair)
            HttpClient(engine) { install(Bearer) { session = legacy; isProtected = { it.host == "api.example" } } }.use { client ->
                assertEquals(200, client.post("https://api.example/posts") { setBody("text") }.status.value)
                client.get("https://api.example/moved")
            }
            assertEquals(listOf(first, "Bearer new", "Bearer new", null), seen)
        }
    }

    @Test
    fun `a bound token carries a proof, and a rejected proof is replaced`() = runBlocking {
        val proofs = mutableListOf<String?>()
        val engine = MockEngine { request ->
            proofs += request.headers["DPoP"]
            seen += request.headers[HttpHeaders.Authorization] to null
            val challenge = headersOf(HttpHeaders.WWWAuthenticate, "DPoP error=\"invalid_dpop_proof\"")
            if (proofs.size == 1) respond("", HttpStatusCode.Unauthorized, challenge) else respond("")
        }
        val key = DeviceKey()
        Session(SessionConfig(ENDPOINT), refreshes, FakeStorage(), clock = ManualClock(NOW), proofKey = key).use { bound ->
            val pair = refreshes.boundPair(key)
            bound.signIn(pair)
            val client = HttpClient(engine) { install(Bearer) { session = bound; isProtected = { true } } }
            assertEquals(200, client.post("https://api.example/me?x=y") { setBody("text") }.status.value)
            assertEquals(List(2) { "DPoP ${pair.accessToken}" }, seen.map { it.first })
            val claims = proofs.map { decodeUnverified(checkNotNull(it)).claims }
            assertEquals(listOf("POST", "https://api.example/me"), listOf("htm", "htu").map { claims[0][it]?.asText() })
            assertTrue(claims[0]["jti"] != claims[1]["jti"])
            assertTrue(refreshes.requests.isEmpty())
        }
    }

    @Test
    fun `a call without a token fails with the reason`() {
        val thrown = assertThrows<RegrantException> { runBlocking { client.get("https://api.example/me") } }
        assertEquals(Advice.SIGN_IN, thrown.advice)
        assertTrue(seen.isEmpty())
    }
}
