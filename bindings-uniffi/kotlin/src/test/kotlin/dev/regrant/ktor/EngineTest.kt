package dev.regrant.ktor

import dev.regrant.ENDPOINT
import dev.regrant.FakeServer
import dev.regrant.FakeStorage
import dev.regrant.ManualClock
import dev.regrant.NOW
import dev.regrant.RefreshEndpoint
import dev.regrant.Session
import dev.regrant.SessionConfig
import dev.regrant.TestServer
import dev.regrant.TestServer.Answer
import dev.regrant.TokenPair
import dev.regrant.okhttp.OkHttpTransport
import io.ktor.client.HttpClient
import io.ktor.client.engine.okhttp.OkHttp
import io.ktor.client.plugins.HttpRedirect
import io.ktor.client.request.forms.ChannelProvider
import io.ktor.client.request.forms.FormDataContent
import io.ktor.client.request.forms.InputProvider
import io.ktor.client.request.forms.MultiPartFormDataContent
import io.ktor.client.request.forms.formData
import io.ktor.client.request.get
import io.ktor.client.request.post
import io.ktor.client.request.setBody
import io.ktor.http.content.OutgoingContent
import io.ktor.http.parametersOf
import io.ktor.util.cio.readChannel
import io.ktor.utils.io.ByteReadChannel
import java.nio.file.Path
import kotlin.io.path.writeText
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.io.asSource
import kotlinx.io.buffered
import okhttp3.Dispatcher
import okhttp3.OkHttpClient
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

/** Over a real engine, to a server that rejects the first token: bodies of every kind, and many calls at once. */
class EngineTest {
    @TempDir lateinit var folder: Path

    /** The statuses of two uploads of what [body] makes, and what arrived. */
    private fun upload(body: () -> Any): Pair<List<Int>, List<String>> {
        val refreshes = FakeServer()
        val pair = refreshes.pair()
        return Session(SessionConfig(ENDPOINT), refreshes, FakeStorage(), clock = ManualClock(NOW)).use { mine ->
            TestServer { Answer(if (it.requestHeaders.getFirst("Authorization") == "Bearer ${pair.accessToken}") 401 else 200) }.use { server ->
                HttpClient(OkHttp) { install(Bearer) { session = mine; isProtected = { true } } }.use { client ->
                    runBlocking {
                        mine.signIn(pair)
                        val statuses = List(2) { client.post("${server.url}/files") { setBody(body()) }.status.value }
                        assertEquals(1, refreshes.requests.size)
                        statuses to server.seen.map { it.body }
                    }
                }
            }
        }
    }

    /** The first attempt may have consumed them: the second one could send half of the body, and the server would accept it. */
    @Test
    fun `a file, a channel or a multipart form is not sent twice, but its token is renewed`() {
        val file = folder.resolve("file").also { it.writeText("upload") }
        class FileContent : OutgoingContent.ReadChannelContent() {
            override fun readFrom() = file.toFile().readChannel()
        }
        val bodies = mapOf<String, () -> Any>(
            "file" to { FileContent() },
            "channel" to { ByteReadChannel("upload") },
            "form with a file" to {
                MultiPartFormDataContent(formData { append("file", InputProvider { file.toFile().inputStream().asSource().buffered() }) })
            },
            "form with a channel" to {
                val channel = ByteReadChannel("upload")
                MultiPartFormDataContent(formData { append("file", ChannelProvider { channel }) })
            },
            "form with bytes" to { MultiPartFormDataContent(formData { append("file", "upload".toByteArray()) }) },
        )
        for ((name, body) in bodies) {
            val (statuses, arrived) = upload(body)
            assertEquals(listOf(401, 200), statuses, name)
            assertEquals(2, arrived.size, name)
            for (received in arrived) assertTrue("upload" in received, "$name: $received")
        }
    }

    @Test
    fun `a body in memory is sent again as a whole`() {
        val bodies = mapOf<String, () -> Any>(
            "text" to { "upload" },
            "bytes" to { "upload".toByteArray() },
            "form" to { FormDataContent(parametersOf("file", "upload")) },
        )
        for ((name, body) in bodies) {
            val (statuses, arrived) = upload(body)
            assertEquals(listOf(200, 200), statuses, name)
            assertEquals(3, arrived.size, name)
            assertEquals(1, arrived.toSet().size, "$name: $arrived")
            assertTrue("upload" in arrived.first(), "$name: $arrived")
        }
    }

    /** The server may have processed the request that it redirected. */
    @Test
    fun `of a redirected POST only the request that was rejected is retried`() {
        val refreshes = FakeServer()
        Session(SessionConfig(ENDPOINT), refreshes, FakeStorage(), clock = ManualClock(NOW)).use { mine ->
            TestServer {
                if (it.requestURI.path == "/moved") Answer(401) else Answer(307, headers = mapOf("Location" to "/moved"))
            }.use { server ->
                val client = HttpClient(OkHttp) {
                    install(Bearer) { session = mine; isProtected = { true } }
                    install(HttpRedirect) { checkHttpMethod = false }
                }
                client.use {
                    runBlocking {
                        mine.signIn(refreshes.pair())
                        assertEquals(401, client.post("${server.url}/files") { setBody("upload") }.status.value)
                    }
                }
                assertEquals(listOf("/files", "/moved", "/moved"), server.seen.map { it.path })
            }
        }
    }

    /** The engine and the refreshes share a client whose dispatcher has places for two calls. */
    @Test
    fun `calls that fill the dispatcher do not block the refresh that they wait for`() {
        val base = OkHttpClient.Builder().dispatcher(Dispatcher().apply { maxRequests = 2; maxRequestsPerHost = 2 }).build()
        TestServer {
            when {
                it.requestURI.path == "/refresh" -> Answer(200, """{"accessToken":"second"}""")
                else -> Answer(if (it.requestHeaders.getFirst("Authorization") == "Bearer first") 401 else 200)
            }
        }.use { server ->
            val config = SessionConfig(RefreshEndpoint("${server.url}/refresh"))
            Session(config, OkHttpTransport(base), FakeStorage()).use { mine ->
                val client = HttpClient(OkHttp) {
                    engine { preconfigured = base }
                    install(Bearer) { session = mine; isProtected = { true } }
                }
                client.use {
                    runBlocking {
                        mine.signIn(TokenPair("first", "refresh"))
                        val calls = List(10) { async(Dispatchers.Default) { client.get("${server.url}/me").status.value } }
                        assertEquals(List(10) { 200 }, withTimeout(60_000) { calls.awaitAll() })
                    }
                }
            }
            assertEquals(1, server.seen.count { it.path == "/refresh" })
        }
    }
}
