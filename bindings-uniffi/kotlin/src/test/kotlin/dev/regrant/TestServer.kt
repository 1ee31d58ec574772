package dev.regrant

import com.sun.net.httpserver.HttpExchange
import com.sun.net.httpserver.HttpServer
import java.net.InetSocketAddress
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.Executors

/** An HTTP server on loopback. */
class TestServer(private val answer: (HttpExchange) -> Answer) : AutoCloseable {
    class Answer(val status: Int, val body: String = "", val headers: Map<String, String> = emptyMap())

    /** A received request. */
    class Seen(val method: String, val path: String, val authorization: String?, val cookie: String?, val body: String)

    val seen = ConcurrentLinkedQueue<Seen>()
    private val threads = Executors.newCachedThreadPool()
    private val server = HttpServer.create(InetSocketAddress("127.0.0.1", 0), 0).apply {
        createContext("/") { exchange ->
            exchange.use {
                val header = exchange.requestHeaders::getFirst
                val body = exchange.requestBody.readBytes().decodeToString()
                seen += Seen(exchange.requestMethod, exchange.requestURI.path, header("Authorization"), header("Cookie"), body)
                val answer = answer(exchange)
                answer.headers.forEach(exchange.responseHeaders::set)
                val bytes = answer.body.toByteArray()
                exchange.sendResponseHeaders(answer.status, if (bytes.isEmpty()) -1 else bytes.size.toLong())
                exchange.responseBody.use { it.write(bytes) }
            }
        }
        executor = threads
        start()
    }

    val url = "http://127.0.0.1:${server.address.port}"

    override fun close() {
        server.stop(0)
        threads.shutdownNow()
    }
}

private inline fun HttpExchange.use(work: () -> Unit) = try {
    work()
} finally {
    close()
}
