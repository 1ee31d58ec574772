package dev.regrant.okhttp

import dev.regrant.ClaimValue
import dev.regrant.DeviceKey
import dev.regrant.FakeServer
import dev.regrant.FakeStorage
import dev.regrant.ENDPOINT
import dev.regrant.EndpointShape
import dev.regrant.ManualClock
import dev.regrant.NOW
import dev.regrant.RefreshEndpoint
import dev.regrant.Session
import dev.regrant.SessionConfig
import dev.regrant.SignOutReason
import dev.regrant.TestServer
import dev.regrant.TestServer.Answer
import dev.regrant.asText
import dev.regrant.decodeUnverified
import dev.regrant.signOut
import java.io.IOException
import java.nio.file.Files
import java.time.Duration
import java.util.Collections
import java.util.concurrent.CompletableFuture
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import okhttp3.Call
import okhttp3.Callback
import okhttp3.Dispatcher
import okhttp3.FormBody
import okhttp3.MultipartBody
import okhttp3.OkHttpClient
import okhttp3.Protocol
import okhttp3.Request
import okhttp3.RequestBody
import okhttp3.RequestBody.Companion.asRequestBody
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.Response
import okhttp3.ResponseBody.Companion.toResponseBody
import okio.Buffer
import okio.BufferedSink
import okio.ByteString.Companion.encodeUtf8
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows

class BearerTest {
    private val refreshes = FakeServer()
    private val session = Session(SessionConfig(ENDPOINT), refreshes, FakeStorage(), clock = ManualClock(NOW))
    private val client = OkHttpClient.Builder().bearer(session) { "/own" in it.encodedPath }.build()
    private val pair = refreshes.pair()
    private val first = "Bearer ${pair.accessToken}"

    @AfterEach fun end() = session.close()

    private fun call(url: String, change: Request.Builder.() -> Unit = {}): Response =
        client.newCall(Request.Builder().url(url).apply(change).build()).execute()

    private fun signIn() = runBlocking { session.signIn(pair) }

    @Test
    fun `only protected calls carry a token`() {
        signIn()
        TestServer { Answer(200) }.use { server ->
            call("${server.url}/own").close()
            call("${server.url}/other").close()
            call("${server.url}/own") { header("Authorization", "Basic eA==") }.close()
            assertEquals(listOf(first, null, "Basic eA=="), server.seen.map { it.authorization })
        }
    }

    @Test
    fun `a rejected call is retried once with another token and its body`() {
        signIn()
        TestServer { Answer(if (it.requestHeaders.getFirst("Authorization") == first) 401 else 200) }.use { server ->
            assertEquals(200, call("${server.url}/own") { post("text".toRequestBody()) }.use { it.code })
            assertEquals(listOf("text", "text"), server.seen.map { it.body })
            assertEquals(1, refreshes.requests.size)
        }
    }

    @Test
    fun `bodies of OkHttp are sent again`() {
        val file = Files.createTempFile("regrant", "").toFile().apply { writeText("text") }
        val form = FormBody.Builder().add("a", "b").build()
        val bodies = listOf("text".toRequestBody(), "text".encodeUtf8().toRequestBody(), file.asRequestBody(), form,
            MultipartBody.Builder("--").addPart(file.asRequestBody()).addFormDataPart("a", "b").build())
        for (body in bodies) {
            signIn()
            val rejected = mutableSetOf<String?>()
            TestServer { Answer(if (rejected.add("once")) 401 else 200) }.use { server ->
                assertEquals(200, call("${server.url}/own") { post(body) }.use { it.code })
                assertEquals(List(2) { Buffer().also(body::writeTo).readUtf8() }, server.seen.map { it.body })
            }
            runBlocking { session.signOut() }
        }
        file.delete()
    }

    /** Most bodies over a stream do not say that they are one-shot. */
    @Test
    fun `a body over a stream is not retried, but its token is renewed`() {
        for (saysSo in listOf(true, false)) {
            class Streamed(private val stream: Buffer = Buffer().writeUtf8("text")) : RequestBody() {
                override fun contentType() = null
                override fun isOneShot() = saysSo
                override fun writeTo(sink: BufferedSink) { sink.writeAll(stream) }
            }
            val bodies = listOf({ Streamed() }, { MultipartBody.Builder("--").addPart(Streamed()).build() })
            for (body in bodies) {
                signIn()
                val rejections = AtomicInteger(1)
                TestServer { Answer(if (rejections.getAndDecrement() > 0) 401 else 200) }.use { server ->
                    assertEquals(401, call("${server.url}/own") { post(body()) }.use { it.code })
                    assertEquals(200, call("${server.url}/own") { post(body()) }.use { it.code })
                    assertTrue(server.seen.all { "text" in it.body }, server.seen.map { it.body }.toString())
                    assertEquals(2, server.seen.map { it.authorization }.toSet().size)
                }
                runBlocking { session.signOut() }
            }
        }
    }

    @Test
    fun `a redirected POST is not retried, because the server may have processed it`() {
        signIn()
        TestServer {
            if (it.requestURI.path == "/own/moved") Answer(401) else Answer(307, headers = mapOf("Location" to "/own/moved"))
        }.use { server ->
            assertEquals(401, call("${server.url}/own") { post("text".toRequestBody()) }.use { it.code })
            assertEquals(2, server.seen.size)
        }
    }

    /** Duplex calls need HTTP/2, so an interceptor answers them. */
    @Test
    fun `a duplex body is not sent twice, but its token is renewed`() {
        signIn()
        val duplex = object : RequestBody() {
            override fun contentType() = null
            override fun isDuplex() = true
            override fun writeTo(sink: BufferedSink) { sink.writeUtf8("text") }
        }
        val sent = mutableListOf<String>()
        val client = OkHttpClient.Builder().bearer(session) { true }.addInterceptor { chain ->
            val request = chain.request()
            sent += Buffer().also { checkNotNull(request.body).writeTo(it) }.readUtf8()
            val status = if (request.header("Authorization") == first) 401 else 200
            Response.Builder().request(request).protocol(Protocol.HTTP_2).code(status).message("").body("".toResponseBody()).build()
        }.build()
        for (expected in listOf(401, 200)) {
            val request = Request.Builder().url("https://api.example/own").post(duplex).build()
            assertEquals(expected, client.newCall(request).execute().use { it.code })
        }
        assertEquals(listOf("text", "text"), sent)
        assertEquals(1, refreshes.requests.size)
    }

    /** A server that accepts the second access token only, refreshes, and is a legacy app under `/legacy`. */
    private fun <T> refreshing(use: (TestServer, MutableList<String>) -> T): T {
        val tokens = Collections.synchronizedList(mutableListOf<String>())
        return TestServer {
            val path = it.requestURI.path
            val token = it.requestHeaders.getFirst(if (path.startsWith("/legacy")) "accesstoken" else "Authorization")
            when {
                path == "/refresh" -> Answer(200, refreshes.grant().body.decodeToString())
                path == "/rtVerify" -> Answer(200, "{\"accessToken\":\"Bearer new\"}")
                else -> {
                    tokens += token ?: "none"
                    Answer(if (token != null && token != first) 200 else if (path.startsWith("/legacy")) 419 else 401)
                }
            }
        }.use { use(it, tokens) }
    }

    private fun expired(server: TestServer, base: OkHttpClient): Session {
        val clock = ManualClock(NOW)
        val own = Session(SessionConfig(RefreshEndpoint("${server.url}/refresh")), OkHttpTransport(base), FakeStorage(), clock = clock)
        runBlocking { own.signIn(pair) }
        clock.advance(Duration.ofSeconds(1000))
        return own
    }

    /** The calls hold all places of the dispatcher that the refresh would need. */
    @Test
    fun `calls that fill the dispatcher do not block the refresh that they wait for`() = refreshing { server, _ ->
        val base = OkHttpClient.Builder().dispatcher(Dispatcher().apply { maxRequests = 5; maxRequestsPerHost = 5 }).build()
        expired(server, base).use { own ->
            val client = base.newBuilder().bearer(own) { true }.build()
            val answers = (1..10).map { CompletableFuture<Int>() }
            for (answer in answers) client.newCall(Request.Builder().url("${server.url}/own").build()).enqueue(into(answer))
            assertEquals(List(10) { 200 }, answers.map { it.get(60, TimeUnit.SECONDS) })
        }
    }

    /** Blocking calls on all threads of the coroutine dispatchers. */
    @Test
    fun `calls that fill the dispatchers of coroutines do not block the refresh that they wait for`() = refreshing { server, _ ->
        val base = OkHttpClient()
        expired(server, base).use { own ->
            val client = base.newBuilder().bearer(own) { true }.build()
            val request = Request.Builder().url("${server.url}/own").build()
            val calls = listOf(Dispatchers.IO, Dispatchers.Default).flatMap { dispatcher ->
                List(80) { CoroutineScope(dispatcher).async { client.newCall(request).execute().use { it.code } } }
            }
            assertEquals(setOf(200), runBlocking { withTimeout(60_000) { calls.awaitAll() } }.toSet())
        }
    }

    @Test
    fun `a cancelled call gives its place in the dispatcher back while the refresh continues`() {
        val (gate, clock) = CompletableDeferred<Unit>() to ManualClock(NOW)
        Session(SessionConfig(ENDPOINT), refreshes, FakeStorage(), clock = clock).use { own ->
            runBlocking { own.signIn(pair) }
            clock.advance(Duration.ofSeconds(1000))
            refreshes.gate = gate
            val places = Dispatcher().apply { maxRequests = 1 }
            val client = OkHttpClient.Builder().dispatcher(places).bearer(own) { "/own" in it.encodedPath }.build()
            TestServer { Answer(200) }.use { server ->
                val (waiting, other) = CompletableFuture<Int>() to CompletableFuture<Int>()
                val call = client.newCall(Request.Builder().url("${server.url}/own").build()).apply { enqueue(into(waiting)) }
                runBlocking { refreshes.asked.await() }
                client.newCall(Request.Builder().url("${server.url}/other").build()).enqueue(into(other))
                call.cancel()
                assertEquals(200, other.get(60, TimeUnit.SECONDS))
                assertTrue(waiting.isCompletedExceptionally)
                gate.complete(Unit)
            }
        }
    }

    @Test
    fun `a server of the shape RtVerify needs no code of the app`() = refreshing { server, tokens ->
        val endpoint = RefreshEndpoint("${server.url}/rtVerify", EndpointShape.RT_VERIFY)
        Session(SessionConfig(endpoint), OkHttpTransport(), FakeStorage(), clock = ManualClock(NOW)).use { own ->
            runBlocking { own.signIn(pair) }
            val client = OkHttpClient.Builder().bearer(own) { true }.build()
            val request = Request.Builder().url("${server.url}/legacy").post("text".toRequestBody()).build()
            assertEquals(200, client.newCall(request).execute().use { it.code })
            assertEquals(listOf(first, "Bearer new"), tokens)
            // OkHttp itself removes only `Authorization`.
            val carried = mutableListOf<String?>()
            TestServer { carried += it.requestHeaders.getFirst("accesstoken"); Answer(200) }.use { other ->
                val elsewhere = other.url.replace("127.0.0.1", "localhost")
                TestServer { Answer(302, headers = mapOf("Location" to elsewhere)) }.use { moved ->
                    client.newCall(Request.Builder().url(moved.url).build()).execute().close()
                    assertEquals(listOf<String?>(null), carried)
                }
            }
        }
    }

    private fun into(answer: CompletableFuture<Int>) = object : Callback {
        override fun onFailure(call: Call, e: IOException) {
            answer.completeExceptionally(e)
        }

        override fun onResponse(call: Call, response: Response) {
            answer.complete(response.use { it.code })
        }
    }

    @Test
    fun `a second 401 is returned`() {
        signIn()
        TestServer { Answer(401) }.use { server ->
            assertEquals(401, call("${server.url}/own").use { it.code })
            assertEquals(2, server.seen.size)
            // The newest token is not renewed again.
            assertEquals(401, call("${server.url}/own").use { it.code })
            assertEquals(3 to 1, server.seen.size to refreshes.requests.size)
        }
    }

    @Test
    fun `a redirect to another server carries no token`() {
        signIn()
        TestServer { Answer(401) }.use { other ->
            // Another host name for the same machine.
            val elsewhere = other.url.replace("127.0.0.1", "localhost") + "/own"
            TestServer { Answer(302, headers = mapOf("Location" to elsewhere)) }.use { server ->
                assertEquals(401, call("${server.url}/own").use { it.code })
                assertEquals(listOf(null), other.seen.map { it.authorization })
                assertTrue(refreshes.requests.isEmpty())
            }
        }
    }

    @Test
    fun `a bound token carries a proof with the latest nonce, and a rejected proof is replaced`() {
        val key = DeviceKey()
        val (bound, pair) = Session(SessionConfig(ENDPOINT), refreshes, FakeStorage(), clock = ManualClock(NOW), proofKey = key) to refreshes.boundPair(key)
        val challenge = mapOf("WWW-Authenticate" to "DPoP error=\"use_dpop_nonce\"", "DPoP-Nonce" to "first")
        val proofs = mutableListOf<Map<String, ClaimValue>>()
        bound.use {
            runBlocking { bound.signIn(pair) }
            val client = OkHttpClient.Builder().bearer(bound) { true }.build()
            TestServer {
                proofs += decodeUnverified(it.requestHeaders.getFirst("DPoP")).claims
                if (proofs.size == 1) Answer(401, headers = challenge) else Answer(200, headers = mapOf("DPoP-Nonce" to "next"))
            }.use { server ->
                fun call() = client.newCall(Request.Builder().url("${server.url}/own?x=y").post("text".toRequestBody()).build()).execute().use { it.code }
                assertEquals(listOf(200, 200), listOf(call(), call()))
                assertEquals(List(3) { "DPoP ${pair.accessToken}" }, server.seen.map { it.authorization })
                assertEquals(listOf(null, "first", "next"), proofs.map { it["nonce"]?.asText() })
                assertEquals(setOf("${server.url}/own"), proofs.map { it["htu"]?.asText() }.toSet())
                assertEquals(3, proofs.map { it["jti"]?.asText() }.toSet().size)
            }
        }
        assertTrue(refreshes.requests.isEmpty())
    }

    @Test
    fun `a redirect to another server carries no proof`() {
        val key = DeviceKey()
        Session(SessionConfig(ENDPOINT), refreshes, FakeStorage(), clock = ManualClock(NOW), proofKey = key).use { bound ->
            runBlocking { bound.signIn(refreshes.boundPair(key)) }
            val client = OkHttpClient.Builder().bearer(bound) { true }.build()
            val proofs = mutableListOf<String?>()
            TestServer { proofs += it.requestHeaders.getFirst("DPoP"); Answer(200) }.use { other ->
                val elsewhere = other.url.replace("127.0.0.1", "localhost") + "/own"
                TestServer { Answer(302, headers = mapOf("Location" to elsewhere)) }.use { server ->
                    client.newCall(Request.Builder().url("${server.url}/own").build()).execute().close()
                    assertEquals(listOf<String?>(null), proofs)
                }
            }
        }
    }

    @Test
    fun `a call without a token fails with the reason`() {
        TestServer { Answer(200) }.use { server ->
            val thrown = assertThrows<NoAccessTokenException> { call("${server.url}/own") }
            assertEquals(SignOutReason.NotSignedIn, thrown.error.signOut)
            assertTrue(server.seen.isEmpty())
        }
    }
}
