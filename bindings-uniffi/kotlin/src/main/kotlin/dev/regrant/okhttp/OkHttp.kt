package dev.regrant.okhttp

import dev.regrant.Attempt
import dev.regrant.HttpHeader
import dev.regrant.HttpRequest
import dev.regrant.HttpResponse
import dev.regrant.RegrantException
import dev.regrant.Session
import dev.regrant.TOKEN_HEADERS
import dev.regrant.Transport
import dev.regrant.responseHead
import java.io.File
import java.io.IOException
import java.io.InterruptedIOException
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.cancel
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.suspendCancellableCoroutine
import okhttp3.Authenticator
import okhttp3.Call
import okhttp3.Callback
import okhttp3.CookieJar
import okhttp3.Dispatcher
import okhttp3.FormBody
import okhttp3.HttpUrl
import okhttp3.Interceptor
import okhttp3.MultipartBody
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.RequestBody
import okhttp3.RequestBody.Companion.asRequestBody
import okhttp3.RequestBody.Companion.toRequestBody
import okhttp3.Response
import okio.ByteString

/** The longest body that is read, in bytes. Responses with tokens are far shorter. */
private const val MAX_BODY = 256L * 1024

/** How often a waiting call looks whether it was cancelled: OkHttp does not tell it. */
private const val CANCEL_POLL_MS = 20L

/** The session has no access token for a call. The advice of [error] is to sign in or to retry. */
class NoAccessTokenException(val error: RegrantException) : IOException(error)

/**
 * Adds an access token of [session] (RFC 6750 §2.1) to calls for which [isProtected] returns true, with a DPoP proof if the
 * token is bound to the session's key (RFC 9449), and retries them once if the server rejects it. Other calls, and those with an
 * `Authorization` or `accesstoken` header, are not changed. A call is retried only if its body is one of OkHttp's own (text, bytes, a
 * file, a form, or a multipart form of these): the first attempt may have consumed any other. Its token is renewed for the next call.
 *
 * A proof is valid for one URL: a redirected call with a bound token is rejected at its new URL.
 *
 * Without a token the call fails with [NoAccessTokenException].
 */
fun OkHttpClient.Builder.bearer(session: Session, isProtected: (HttpUrl) -> Boolean): OkHttpClient.Builder =
    addInterceptor(BearerInterceptor(session, isProtected)).addNetworkInterceptor(::withoutHeadersOfOtherServer)

/**
 * Authorizes protected calls. Like all of OkHttp it blocks the thread of the call, the dispatcher's or the caller's of
 * `execute`, until the call is cancelled.
 */
internal class BearerInterceptor(private val session: Session, private val isProtected: (HttpUrl) -> Boolean) : Interceptor {
    override fun intercept(chain: Interceptor.Chain): Response {
        val request = chain.request()
        if (TOKEN_HEADERS.any { request.header(it) != null } || !isProtected(request.url)) return chain.proceed(request)
        var attempt = chain.await { session.attempt(request.method, request.url.toString()) }
        while (true) {
            val response = chain.proceed(request.authorized(attempt))
            val next = try {
                chain.await { session.nextAttempt(attempt, headOf(response), response.request.url.toString()) }
            } catch (thrown: Throwable) {
                response.close()
                throw thrown
            }
            if (next == null || !request.body.isRepeatable()) return response
            response.close()
            attempt = next
        }
    }
}

/** On a request: for which URL these headers were added. */
private class Authorized(val url: HttpUrl, val headers: List<String>)

/** Removes the added headers on a redirect to another server. OkHttp itself removes only `Authorization`. */
private fun withoutHeadersOfOtherServer(chain: Interceptor.Chain): Response {
    val request = chain.request()
    val added = request.tag(Authorized::class.java)
    if (added == null || request.url.isSameOrigin(added.url)) return chain.proceed(request)
    val builder = request.newBuilder()
    for (name in added.headers) builder.removeHeader(name)
    return chain.proceed(builder.build())
}

private fun HttpUrl.isSameOrigin(other: HttpUrl) = scheme == other.scheme && host == other.host && port == other.port

private fun Request.authorized(attempt: Attempt): Request {
    val headers = attempt.headers()
    val builder = newBuilder().tag(Authorized::class.java, Authorized(url, headers.map { it.name }))
    for ((name, value) in headers) builder.header(name, value)
    return builder.build()
}

/**
 * Whether a body can be sent again. OkHttp's `isOneShot` does not tell: it is false for a body over a stream unless its author
 * overrides it, and the second attempt would send nothing.
 */
private fun RequestBody?.isRepeatable(): Boolean = when (this) {
    null, is FormBody -> true
    is MultipartBody -> parts.all { it.body.isRepeatable() }
    else -> javaClass in REPEATABLE
}

/** OkHttp's own bodies. Their classes have no public names, and R8 renames them. */
private val REPEATABLE by lazy {
    listOf(ByteArray(0).toRequestBody(), ByteString.EMPTY.toRequestBody(), File("").asRequestBody()).map { it.javaClass }.toSet()
}

private fun headOf(response: Response) = responseHead(response.code, response.headers)

/** The result of [work]. A cancelled call does not wait for it, so that its thread and its place in the dispatcher are free. */
private fun <T> Interceptor.Chain.await(work: suspend () -> T): T = try {
    runBlocking {
        val waiting = this
        val watch = launch {
            while (!call().isCanceled()) delay(CANCEL_POLL_MS)
            waiting.cancel()
        }
        work().also { watch.cancel() }
    }
} catch (error: RegrantException) {
    throw NoAccessTokenException(error)
} catch (_: CancellationException) {
    throw IOException("Canceled")
} catch (_: InterruptedException) {
    Thread.currentThread().interrupt()
    throw InterruptedIOException("interrupted")
}

/**
 * A transport over OkHttp, with the connections, certificates and interceptors of [client], but without its redirects,
 * cookies, cache and authenticators, and without [bearer]: a refresh token must be sent to its endpoint only, and
 * a refresh must not wait for itself. It has a dispatcher of its own: the calls that wait for a refresh may fill that of [client].
 *
 * OkHttp may resend a request whose connection breaks; the server treats both as one refresh.
 */
class OkHttpTransport(client: OkHttpClient = OkHttpClient()) : Transport {
    private val client = client.newBuilder().run {
        interceptors().removeAll { it is BearerInterceptor }
        dispatcher(Dispatcher())
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
