package dev.regrant

import dev.regrant.jvm.JdkTransport
import dev.regrant.okhttp.OkHttpTransport
import dev.regrant.okhttp.bearer
import java.io.IOException
import java.net.InetAddress
import java.net.ServerSocket
import java.net.SocketException
import java.util.concurrent.CountDownLatch
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import okhttp3.Authenticator
import okhttp3.OkHttpClient
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.params.ParameterizedTest
import org.junit.jupiter.params.provider.MethodSource

/** Every transport sends requests and does nothing else. */
class TransportTest {
    private fun request(url: String, method: String = "POST") =
        HttpRequest(method, url, listOf(HttpHeader("content-type", "application/json"), HttpHeader("x-key", "k")), if (method == "GET") ByteArray(0) else "{}".toByteArray())

    @ParameterizedTest
    @MethodSource("transports")
    fun `returns the complete response`(transport: Transport) = runBlocking {
        val headers = mapOf("Retry-After" to "7", "Set-Cookie" to "a=b")
        TestServer { TestServer.Answer(if (it.requestMethod == "GET") 200 else 503, it.requestHeaders.getFirst("X-Key"), headers) }.use { server ->
            val answer = transport.send(request(server.url + "/refresh"))
            assertEquals(503 to "k", answer.status.toInt() to answer.body.decodeToString())
            assertEquals("7", answer.headers.single { it.name.equals("retry-after", ignoreCase = true) }.value)
            assertEquals(200, transport.send(request(server.url + "/refresh", "GET")).status.toInt())
            assertEquals(listOf("POST" to "{}", "GET" to ""), server.seen.map { it.method to it.body })
            assertTrue(server.seen.all { it.cookie == null })
        }
    }

    @ParameterizedTest
    @MethodSource("transports")
    fun `follows no redirect and uses no authenticator`(transport: Transport) = runBlocking {
        for ((status, header) in listOf(307 to ("Location" to "/elsewhere"), 401 to ("WWW-Authenticate" to "Basic realm=\"x\""))) {
            TestServer { TestServer.Answer(status, headers = mapOf(header)) }.use { server ->
                assertEquals(status, transport.send(request(server.url)).status.toInt())
                assertEquals(1, server.seen.size)
            }
        }
    }

    @ParameterizedTest
    @MethodSource("transports")
    fun `fails without a response and for an endless one`(transport: Transport) {
        // Nothing listens on port 1; another server could take a port that was given back.
        assertThrows<IOException> { runBlocking { transport.send(request("http://127.0.0.1:1")) } }
        TestServer { TestServer.Answer(200, "x".repeat(300_000)) }.use { server ->
            assertThrows<IOException> { runBlocking { transport.send(request(server.url)) } }
        }
    }

    @ParameterizedTest
    @MethodSource("transports")
    fun `cancels the request with its coroutine`(transport: Transport) = runBlocking {
        val (arrived, end) = CountDownLatch(1) to CountDownLatch(1)
        TestServer { arrived.countDown(); end.await(); TestServer.Answer(200) }.use { server ->
            val sending = launch(Dispatchers.Default) { transport.send(request(server.url)) }
            arrived.await()
            sending.cancelAndJoin()
            end.countDown()
        }
    }

    /** The server has sent the head of its response, and is silent: the connection must not stay open for ever. */
    @ParameterizedTest
    @MethodSource("transports")
    fun `a cancelled request closes a connection that is silent`(transport: Transport) = runBlocking(Dispatchers.IO) {
        ServerSocket(0, 1, InetAddress.getLoopbackAddress()).use { server ->
            val url = "http://127.0.0.1:${server.localPort}/"
            val sending = launch(Dispatchers.Default) { transport.send(request(url)) }
            server.accept().use { connection ->
                connection.getOutputStream().write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".toByteArray())
                connection.soTimeout = 60_000
                val arrived = connection.getInputStream()
                // Until the whole request has arrived: the client waits for the rest of the body.
                val head = StringBuilder()
                while (!head.endsWith("\r\n\r\n")) head.append(arrived.read().toChar())
                delay(100)
                withTimeout(60_000) { sending.cancelAndJoin() }
                val after = runCatching { arrived.readAllBytes() }
                assertTrue(after.isSuccess || after.exceptionOrNull() is SocketException, "$after")
            }
        }
    }

    companion object {
        /** Includes one over a client with a bearer interceptor: a refresh must not wait for itself. */
        @JvmStatic
        fun transports(): List<Transport> {
            val session = Session(SessionConfig(ENDPOINT), FakeServer(), inMemoryStorage())
            val authenticator = Authenticator { _, _ -> error("asked") }
            val apps = OkHttpClient.Builder().bearer(session) { true }.authenticator(authenticator).build()
            return listOf(JdkTransport(), OkHttpTransport(), OkHttpTransport(apps))
        }
    }
}
