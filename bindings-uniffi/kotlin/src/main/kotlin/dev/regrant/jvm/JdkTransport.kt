package dev.regrant.jvm

import dev.regrant.HttpHeader
import dev.regrant.HttpRequest
import dev.regrant.HttpResponse
import dev.regrant.Transport
import dev.regrant.callbackDispatcher
import java.io.IOException
import java.io.InputStream
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest.BodyPublishers
import java.net.http.HttpResponse.BodyHandlers
import java.time.Duration
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.future.await
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/** The longest body that is read, in bytes. Responses with tokens are far shorter. */
private const val MAX_BODY = 256 * 1024

/**
 * A transport over the JDK's HTTP client, which Android does not have. A custom [client] should follow no redirects and
 * store no cookies: a refresh token must be sent to its endpoint only.
 */
class JdkTransport(private val client: HttpClient = defaultClient()) : Transport {
    override suspend fun send(request: HttpRequest): HttpResponse {
        val body = if (request.body.isEmpty()) BodyPublishers.noBody() else BodyPublishers.ofByteArray(request.body)
        val sent = java.net.http.HttpRequest.newBuilder(URI(request.url)).method(request.method, body)
        for (header in request.headers) sent.header(header.name, header.value)
        val response = client.sendAsync(sent.build(), BodyHandlers.ofInputStream()).await()
        val received = response.body().use { it.readAtMost(MAX_BODY + 1) }
        if (received.size > MAX_BODY) throw IOException("the response body is too long")
        val headers = response.headers().map().flatMap { (name, values) -> values.map { HttpHeader(name, it) } }
        return HttpResponse(response.statusCode().toUShort(), headers, received)
    }
}

/** A read from a connection that is silent ends only when the stream is closed. */
private suspend fun InputStream.readAtMost(size: Int): ByteArray = coroutineScope {
    val closing = launch(start = CoroutineStart.UNDISPATCHED) {
        try {
            awaitCancellation()
        } finally {
            close()
        }
    }
    try {
        withContext(callbackDispatcher) { readNBytes(size) }.also { closing.cancel() }
    } catch (error: IOException) {
        // Of a stream that was closed because the caller has gone.
        ensureActive()
        throw error
    }
}

private fun defaultClient(): HttpClient =
    HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NEVER).connectTimeout(Duration.ofSeconds(10)).build()
