package dev.regrant.okhttp

import dev.regrant.Attempt
import dev.regrant.HttpHeader
import dev.regrant.HttpRequest
import dev.regrant.HttpResponse
import dev.regrant.RegrantException
import dev.regrant.Session
import dev.regrant.Transport
import dev.regrant.responseHead
import java.io.IOException
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.suspendCancellableCoroutine
import okhttp3.Authenticator
import okhttp3.Call
import okhttp3.Callback
import okhttp3.CookieJar
import okhttp3.HttpUrl
import okhttp3.Interceptor
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.Response

private const val HEADER = "Authorization"
private const val PROOF = "DPoP"

/** The longest body that is read, in bytes. Responses with tokens are far shorter. */
private const val MAX_BODY = 256L * 1024

/** The session has no access token for a call. The advice of [error] is to sign in or to retry. */
class NoAccessTokenException(val error: RegrantException) : IOException(error)

/**
 * Adds an access token of [session] (RFC 6750 §2.1) to calls for which [isProtected] returns true, with a DPoP proof if the
 * token is bound to the session's key (RFC 9449), and retries them once if the server rejects it. Other calls, and those with
 * an `Authorization` header, are not changed.
 *
 * A proof is valid for one URL: a redirected call with a bound token is rejected at its new URL.
 *
 * Without a token the call fails with [NoAccessTokenException].
 */
fun OkHttpClient.Builder.bearer(session: Session, isProtected: (HttpUrl) -> Boolean): OkHttpClient.Builder =
    addInterceptor(BearerInterceptor(session, isProtected)).addNetworkInterceptor(::withoutOrphanedProof)

/**
 * Authorizes protected calls. Like all of OkHttp it blocks the thread of the call: the dispatcher's, or the caller's of
 * `execute`.
 */
internal class BearerInterceptor(private val session: Session, private val isProtected: (HttpUrl) -> Boolean) : Interceptor {
    override fun intercept(chain: Interceptor.Chain): Response {
        val request = chain.request()
        if (request.header(HEADER) != null || !isProtected(request.url)) return chain.proceed(request)
        var attempt = orFail { session.attempt(request.method, request.url.toString()) }
        while (true) {
            val response = chain.proceed(request.authorized(attempt))
            val next = try {
                orFail { session.nextAttempt(attempt, headOf(response), response.request.url.toString()) }
            } catch (thrown: Throwable) {
                response.close()
                throw thrown
            }
            if (next == null || !request.isRepeatable()) return response
            response.close()
            attempt = next
        }
    }
}

/** Removes the proof where OkHttp removed the token: on a redirect to another server. */
private fun withoutOrphanedProof(chain: Interceptor.Chain): Response {
    val request = chain.request()
    val isOrphaned = request.header(PROOF) != null && request.header(HEADER) == null
    return chain.proceed(if (isOrphaned) request.newBuilder().removeHeader(PROOF).build() else request)
}

private fun Request.authorized(attempt: Attempt): Request {
    val builder = newBuilder()
    for ((name, value) in attempt.headers()) builder.header(name, value)
    return builder.build()
}

private fun Request.isRepeatable() = body.let { it == null || !it.isOneShot() && !it.isDuplex() }

private fun headOf(response: Response) = responseHead(response.code, response.headers)

private fun <T> orFail(call: suspend () -> T): T = try {
    runBlocking { call() }
} catch (error: RegrantException) {
    throw NoAccessTokenException(error)
}

/**
 * A transport over OkHttp, with the connections, certificates and interceptors of [client], but without its redirects,
 * cookies, cache and authenticators, and without [bearer]: a refresh token must be sent to its endpoint only, and
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
    return headOf(response).copy(body = source.readByteArray())
}
