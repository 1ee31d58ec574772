package dev.regrant.okhttp

import dev.regrant.HttpHeader
import dev.regrant.HttpRequest
import dev.regrant.HttpResponse
import dev.regrant.Transport
import java.io.IOException
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException
import kotlinx.coroutines.suspendCancellableCoroutine
import okhttp3.Authenticator
import okhttp3.Call
import okhttp3.Callback
import okhttp3.CookieJar
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.Response

/** The longest body that is read, in bytes. Responses with tokens are far shorter. */
private const val MAX_BODY = 256L * 1024

/**
 * A transport over OkHttp, with the connections, certificates and interceptors of [client], but without its redirects,
 * cookies, cache and authenticators, and without [BearerInterceptor]: a refresh token must be sent to its endpoint only, and
 * a refresh must not wait for itself.
 *
 * OkHttp may resend a request whose connection breaks; the server treats both as one refresh.
 */
class OkHttpTransport(client: OkHttpClient = OkHttpClient()) : Transport {
    private val client = client.newBuilder().run {
        interceptors().removeAll { it is BearerInterceptor }
        authenticator(Authenticator.NONE)
        followRedirects(false)
        followSslRedirects(false)
        cookieJar(CookieJar.NO_COOKIES)
        cache(null)
        build()
    }

    override suspend fun send(request: HttpRequest): HttpResponse {
        val sent = Request.Builder().url(request.url)
        for (header in request.headers) sent.addHeader(header.name, header.value)
        sent.method(request.method, if (request.method == "GET") null else request.body.toRequestBody())
        return client.newCall(sent.build()).await()
    }
}

private suspend fun Call.await(): HttpResponse = suspendCancellableCoroutine { continuation ->
    continuation.invokeOnCancellation { cancel() }
    enqueue(object : Callback {
        override fun onFailure(call: Call, e: IOException) = continuation.resumeWithException(e)

        override fun onResponse(call: Call, response: Response) {
            val result = runCatching { response.use(::read) }
            result.fold(continuation::resume, continuation::resumeWithException)
        }
    })
}

private fun read(response: Response): HttpResponse {
    val source = response.body.source()
    if (source.request(MAX_BODY + 1)) throw IOException("the response body is too long")
    val headers = response.headers.map { (name, value) -> HttpHeader(name, value) }
    return HttpResponse(response.code.toUShort(), headers, source.readByteArray())
}
