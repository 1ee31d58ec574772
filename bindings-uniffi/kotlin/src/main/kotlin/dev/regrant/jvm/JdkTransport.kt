package dev.regrant.jvm

import dev.regrant.HttpHeader
import dev.regrant.HttpRequest
import dev.regrant.HttpResponse
import dev.regrant.Transport
import java.io.IOException
import java.net.URI
import java.net.http.HttpClient
import java.net.http.HttpRequest.BodyPublishers
import java.net.http.HttpResponse.BodyHandlers
import java.time.Duration
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.future.await
import kotlinx.coroutines.withContext

/** More than any answer with tokens has; what a proxy says beyond is not read. */
private const val LONGEST_BODY = 256 * 1024

/**
 * Sends refreshes by the HTTP client of the JDK, which Android does not have. An own [client] should follow no redirects
 * and keep no cookies: a refresh token goes to its endpoint and nowhere else.
 */
class JdkTransport(private val client: HttpClient = ownClient()) : Transport {
    override suspend fun send(request: HttpRequest): HttpResponse {
        val body = if (request.body.isEmpty()) BodyPublishers.noBody() else BodyPublishers.ofByteArray(request.body)
        val sent = java.net.http.HttpRequest.newBuilder(URI(request.url)).method(request.method, body)
        for (header in request.headers) sent.header(header.name, header.value)
        val answer = client.sendAsync(sent.build(), BodyHandlers.ofInputStream()).await()
        val received = withContext(Dispatchers.IO) { answer.body().use { it.readNBytes(LONGEST_BODY + 1) } }
        if (received.size > LONGEST_BODY) throw IOException("the answer is too long")
        val headers = answer.headers().map().flatMap { (name, values) -> values.map { HttpHeader(name, it) } }
        return HttpResponse(answer.statusCode().toUShort(), headers, received)
    }
}

private fun ownClient(): HttpClient =
    HttpClient.newBuilder().followRedirects(HttpClient.Redirect.NEVER).connectTimeout(Duration.ofSeconds(10)).build()
