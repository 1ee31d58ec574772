package dev.regrant.okhttp

import dev.regrant.RegrantException
import dev.regrant.Session
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
private const val SCHEME = "Bearer "

/** There is no access token for a call: [refusal] says whether to sign in or to retry. */
class NoAccessTokenException(val refusal: RegrantException) : IOException(refusal)

/**
 * Calls to the app's own server, as [isOwn] tells it by their address, carry an access token of [session] (RFC 6750 §2.1)
 * and are repeated once with another one where the answer is 401. Calls to anybody else get no token, nor do those that
 * have a header `Authorization` already.
 *
 * Where there is no token the call fails with [NoAccessTokenException].
 */
fun OkHttpClient.Builder.bearer(session: Session, isOwn: (HttpUrl) -> Boolean): OkHttpClient.Builder =
    addInterceptor(BearerInterceptor(session, isOwn)).authenticator(BearerAuthenticator(session))

/**
 * Gives calls to the app's own server an access token. As all of OkHttp, it waits on the thread of the call: of the
 * dispatcher, or of whoever calls `execute`.
 */
class BearerInterceptor(private val session: Session, private val isOwn: (HttpUrl) -> Boolean) : Interceptor {
    override fun intercept(chain: Interceptor.Chain): Response {
        val request = chain.request()
        if (request.header(HEADER) != null || !isOwn(request.url)) return chain.proceed(request)
        return chain.proceed(request.bearing(orFail { session.accessToken() }))
    }
}

/** Repeats a call that was answered 401 once, with another access token. */
class BearerAuthenticator(private val session: Session) : Authenticator {
    override fun authenticate(route: Route?, response: Response): Request? {
        val sent = response.request.header(HEADER)
        // A redirect to another server has lost the header by now.
        if (sent == null || !sent.startsWith(SCHEME)) return null
        val before = response.priorResponse?.request?.header(HEADER)
        // It is the second one already, and not of a redirect within the server.
        if (before != null && before != sent) return null
        return orFail { session.tokenForRetry(sent.removePrefix(SCHEME)) }?.let(response.request::bearing)
    }
}

private fun Request.bearing(token: String) = newBuilder().header(HEADER, SCHEME + token).build()

private fun <T> orFail(ask: suspend () -> T): T = try {
    runBlocking { ask() }
} catch (refusal: RegrantException) {
    throw NoAccessTokenException(refusal)
}
