package dev.regrant

import dev.regrant.TestServer.Answer
import dev.regrant.jvm.JdkTransport
import dev.regrant.ktor.Bearer
import dev.regrant.okhttp.NoAccessTokenException
import dev.regrant.okhttp.OkHttpTransport
import dev.regrant.okhttp.bearer
import io.ktor.client.HttpClient
import io.ktor.client.engine.okhttp.OkHttp
import io.ktor.client.request.get
import java.net.URI
import java.net.http.HttpClient as JdkClient
import java.net.http.HttpRequest as JdkRequest
import java.net.http.HttpResponse as JdkResponse
import java.net.http.HttpResponse.BodyHandlers
import java.time.Duration
import java.time.Instant
import java.util.concurrent.CompletableFuture
import java.util.concurrent.ExecutionException
import java.util.concurrent.TimeUnit
import kotlinx.coroutines.runBlocking
import okhttp3.OkHttpClient
import okhttp3.Request
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.MethodSource

/** What the adapters do alike, each over its own transport: a server rejects the first token and refreshes. */
class AdapterTest {
    /** [client] returns a function that makes a `GET` with a token of the session, and returns the status. */
    class Adapter(private val name: String, val transport: Transport, val client: (Session) -> (String) -> Int) {
        override fun toString() = name
    }

    private fun server(refresh: () -> Answer) = TestServer {
        when {
            it.requestURI.path == "/refresh" -> refresh()
            else -> Answer(if (it.requestHeaders.getFirst("Authorization") == "Bearer first") 401 else 200)
        }
    }

    private fun session(adapter: Adapter, config: SessionConfig, clock: Clock? = null): Session {
        val session = Session(config, adapter.transport, FakeStorage(), clock = clock)
        runBlocking { session.signIn(TokenPair("first", "refresh")) }
        return session
    }

    /**
     * The tokens live shorter than the margin in which they are refreshed, and the device's clock is wrong: the header `Date` of
     * the refresh tells when they were issued.
     */
    @ParameterizedTest
    @MethodSource("adapters")
    fun `short-lived tokens without iat are not refreshed at every call`(adapter: Adapter) {
        val lifetime = Duration.ofMinutes(20)
        val clock = ManualClock(Instant.now() + Duration.ofDays(1))
        server {
            val access = TestTokens.hs256("""{"sub":"u","exp":${(Instant.now() + lifetime).epochSecond}}""")
            Answer(200, """{"accessToken":"$access"}""")
        }.use { server ->
            val config = SessionConfig(RefreshEndpoint("${server.url}/refresh"), minTtl = lifetime.multipliedBy(2))
            session(adapter, config, clock).use { session ->
                val get = adapter.client(session)
                for (refreshes in 1..3) {
                    repeat(20) { assertEquals(200, get("${server.url}/me")) }
                    assertEquals(refreshes, server.seen.count { it.path == "/refresh" })
                    // Three quarters of the lifetime: within the margin.
                    clock.advance(Duration.ofMinutes(15))
                }
            }
        }
    }

    /** Waiting for the next attempt would only end in a timeout. */
    @ParameterizedTest
    @MethodSource("adapters")
    fun `a Retry-After beyond the patience is answered at once`(adapter: Adapter) {
        server { Answer(503, headers = mapOf("Retry-After" to "250")) }.use { server ->
            val config = SessionConfig(RefreshEndpoint("${server.url}/refresh"), waitTimeout = Duration.ofMinutes(3))
            session(adapter, config).use { session ->
                val get = adapter.client(session)
                repeat(2) {
                    val call = CompletableFuture.supplyAsync { get("${server.url}/me") }
                    val thrown = assertThrows<ExecutionException> { call.get(60, TimeUnit.SECONDS) }.cause
                    val error = if (thrown is NoAccessTokenException) thrown.error else thrown as RegrantException
                    assertEquals(Advice.RETRY, error.advice)
                    assertTrue(error.retryAfter!! > Duration.ofMinutes(3), "${error.retryAfter}")
                }
                assertEquals(1, server.seen.count { it.path == "/refresh" })
            }
        }
    }

    companion object {
        @JvmStatic
        fun adapters(): List<Adapter> {
            val (okHttp, jdk) = OkHttpClient() to JdkClient.newHttpClient()
            return listOf(
                Adapter("OkHttp", OkHttpTransport(okHttp)) { session ->
                    val client = okHttp.newBuilder().bearer(session) { true }.build();
                    { url -> client.newCall(Request.Builder().url(url).build()).execute().use { it.code } }
                },
                Adapter("Ktor", OkHttpTransport(okHttp)) { mine ->
                    val client = HttpClient(OkHttp) {
                        engine { preconfigured = okHttp }
                        install(Bearer) { session = mine; isProtected = { true } }
                    };
                    { url -> runBlocking { client.get(url).status.value } }
                },
                Adapter("any client", JdkTransport()) { session ->
                    val head = { response: JdkResponse<Void> -> responseHead(response.statusCode(), emptyList()) };
                    { url ->
                        val response = runBlocking {
                            session.authorize("GET", url, head) { headers ->
                                val request = JdkRequest.newBuilder(URI(url))
                                for ((name, value) in headers) request.header(name, value)
                                jdk.send(request.build(), BodyHandlers.discarding())
                            }
                        }
                        response.statusCode()
                    }
                },
            )
        }
    }
}
