package dev.regrant.okhttp

import dev.regrant.Authorization
import dev.regrant.RegrantException
import dev.regrant.Session
import dev.regrant.responseHead
import java.io.IOException
import kotlinx.coroutines.runBlocking
import okhttp3.Authenticator
import okhttp3.HttpUrl
import okhttp3.Interceptor
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.Response
import okhttp3.Route

private const val HEADER = "Authorization"
private const val PROOF = "DPoP"

/** The session has no access token for a call. The advice of [error] is to sign in or to retry. */
class NoAccessTokenException(val error: RegrantException) : IOException(error)

/**
 * Adds an access token of [session] (RFC 6750 §2.1) to calls for which [isProtected] returns true, with a DPoP proof if the
 * token is bound to the session's key (RFC 9449), and retries them once on 401. Other calls, and those with an
 * `Authorization` header, are not changed.
 *
 * A proof is valid for one URL: a redirected call with a bound token is rejected at its new URL.
 *
 * Without a token the call fails with [NoAccessTokenException].
 */
fun OkHttpClient.Builder.bearer(session: Session, isProtected: (HttpUrl) -> Boolean): OkHttpClient.Builder =
    addInterceptor(BearerInterceptor(session, isProtected)).addNetworkInterceptor(::withoutOrphanedProof).authenticator(BearerAuthenticator(session))

/**
 * Adds an access token to protected calls. Like all of OkHttp it blocks the thread of the call: the dispatcher's, or the
 * caller's of `execute`.
 */
class BearerInterceptor(private val session: Session, private val isProtected: (HttpUrl) -> Boolean) : Interceptor {
    override fun intercept(chain: Interceptor.Chain): Response {
        val request = chain.request()
        if (request.header(HEADER) != null || !isProtected(request.url)) return chain.proceed(request)
        val authorization = orFail { session.authorization(request.method, request.url.toString()) }
        val response = chain.proceed(request.authorized(authorization))
        // Any response may contain the nonce for the next proof.
        if (authorization.isRelevant(response.code.toUShort())) {
            session.observeResponse(response.request.url.toString(), responseHead(response.code, response.headers))
        }
        return response
    }
}

/** Retries a call once on 401, with another access token or proof. */
class BearerAuthenticator(private val session: Session) : Authenticator {
    override fun authenticate(route: Route?, response: Response): Request? {
        val sent = response.request.tag(Authorization::class.java)
        // OkHttp removes the header on a redirect to another server.
        if (sent == null || response.request.header(HEADER) == null) return null
        // This is already the retry, and not a redirect within the server.
        val before = response.priorResponse?.request?.tag(Authorization::class.java)
        if (before != null && before !== sent) return null
        val head = responseHead(response.code, response.headers)
        return orFail { session.authorizationForRetry(sent, head) }?.let(response.request::authorized)
    }
}

/** Removes the proof where OkHttp removed the token: on a redirect to another server. */
private fun withoutOrphanedProof(chain: Interceptor.Chain): Response {
    val request = chain.request()
    val isOrphaned = request.header(PROOF) != null && request.header(HEADER) == null
    return chain.proceed(if (isOrphaned) request.newBuilder().removeHeader(PROOF).build() else request)
}

private fun Request.authorized(authorization: Authorization): Request {
    val builder = newBuilder().tag(Authorization::class.java, authorization)
    for ((name, value) in authorization.headers()) builder.header(name, value)
    return builder.build()
}

private fun <T> orFail(call: suspend () -> T): T = try {
    runBlocking { call() }
} catch (error: RegrantException) {
    throw NoAccessTokenException(error)
}
