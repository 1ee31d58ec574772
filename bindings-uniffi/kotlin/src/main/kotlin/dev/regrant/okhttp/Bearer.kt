package dev.regrant.okhttp

import dev.regrant.Authorization
import dev.regrant.RegrantException
import dev.regrant.Session
import dev.regrant.answerHead
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

/** There is no access token for a call: [refusal] says whether to sign in or to retry. */
class NoAccessTokenException(val refusal: RegrantException) : IOException(refusal)

/**
 * Calls to the app's own server, as [isOwn] tells it by their address, carry an access token of [session] (RFC 6750 §2.1),
 * with a proof of its key where the token is bound to it (RFC 9449), and are repeated once with another one where the
 * answer is 401. Calls to anybody else get no token, nor do those that have a header `Authorization` already.
 *
 * A proof is for one address: a call with a bound token is not let in where it is redirected to.
 *
 * Where there is no token the call fails with [NoAccessTokenException].
 */
fun OkHttpClient.Builder.bearer(session: Session, isOwn: (HttpUrl) -> Boolean): OkHttpClient.Builder =
    addInterceptor(BearerInterceptor(session, isOwn)).addNetworkInterceptor(::withoutStrayProof).authenticator(BearerAuthenticator(session))

/**
 * Gives calls to the app's own server an access token. As all of OkHttp, it waits on the thread of the call: of the
 * dispatcher, or of whoever calls `execute`.
 */
class BearerInterceptor(private val session: Session, private val isOwn: (HttpUrl) -> Boolean) : Interceptor {
    override fun intercept(chain: Interceptor.Chain): Response {
        val request = chain.request()
        if (request.header(HEADER) != null || !isOwn(request.url)) return chain.proceed(request)
        val authorization = orFail { session.authorization(request.method, request.url.toString()) }
        val response = chain.proceed(request.carrying(authorization))
        // A nonce for the next call may come with any answer.
        if (authorization.heeds(response.code.toUShort())) {
            session.learn(response.request.url.toString(), answerHead(response.code, response.headers))
        }
        return response
    }
}

/** Repeats a call that was answered 401 once, with another access token or another proof. */
class BearerAuthenticator(private val session: Session) : Authenticator {
    override fun authenticate(route: Route?, response: Response): Request? {
        val sent = response.request.tag(Authorization::class.java)
        // A redirect to another server has lost the header by now.
        if (sent == null || response.request.header(HEADER) == null) return null
        // It is the second one already, and not of a redirect within the server.
        val before = response.priorResponse?.request?.tag(Authorization::class.java)
        if (before != null && before !== sent) return null
        val head = answerHead(response.code, response.headers)
        return orFail { session.authorizationForRetry(sent, head) }?.let(response.request::carrying)
    }
}

/** A redirect to another server has lost the token; the proof is to go the same way. */
private fun withoutStrayProof(chain: Interceptor.Chain): Response {
    val request = chain.request()
    val isStray = request.header(PROOF) != null && request.header(HEADER) == null
    return chain.proceed(if (isStray) request.newBuilder().removeHeader(PROOF).build() else request)
}

private fun Request.carrying(authorization: Authorization): Request {
    val builder = newBuilder().tag(Authorization::class.java, authorization)
    for ((name, value) in authorization.headers()) builder.header(name, value)
    return builder.build()
}

private fun <T> orFail(ask: suspend () -> T): T = try {
    runBlocking { ask() }
} catch (refusal: RegrantException) {
    throw NoAccessTokenException(refusal)
}
