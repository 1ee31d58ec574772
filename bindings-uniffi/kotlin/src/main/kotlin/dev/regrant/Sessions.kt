package dev.regrant

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.SharingStarted
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.stateIn

/**
 * Makes a request with an access token, and retries it once with another token if [isUnauthorized] returns true for the
 * response (usually: status 401). A second unauthorized response is returned.
 *
 * For bearer tokens and any HTTP client; for OkHttp and Ktor see `dev.regrant.okhttp` and `dev.regrant.ktor`. The coroutine
 * may be cancelled at any time: a refresh that was started continues, and its tokens are stored.
 *
 * @throws RegrantException with the advice to sign in or to retry.
 */
suspend fun <T> Session.authorize(isUnauthorized: (T) -> Boolean, send: suspend (accessToken: String) -> T): T {
    val token = accessToken()
    val response = send(token)
    if (!isUnauthorized(response)) return response
    val next = tokenForRetry(token) ?: return response
    return send(next)
}

/**
 * As above for a request of [method] to [url] whose token may be bound to the session's key (DPoP, RFC 9449): it carries
 * `headers`, and is retried once with new ones if necessary. [head] returns the status and headers of a response.
 *
 * @throws RegrantException with the advice to sign in or to retry.
 */
suspend fun <T> Session.authorize(
    method: String,
    url: String,
    head: (T) -> HttpResponse,
    send: suspend (headers: List<HttpHeader>) -> T,
): T {
    val authorization = authorization(method, url)
    val response = send(authorization.headers())
    val responseHead = head(response)
    if (!authorization.isRelevant(responseHead.status)) return response
    val next = authorizationForRetry(authorization, responseHead) ?: return response
    // There is no further retry, but the response may contain the nonce for the next request.
    return send(next.headers()).also { observeResponse(url, head(it)) }
}

/** The part of a response that a session needs: [status] and [headers], without the body. */
fun responseHead(status: Int, headers: Iterable<Pair<String, String>>): HttpResponse =
    HttpResponse(status.toUShort(), headers.map { (name, value) -> HttpHeader(name, value) }, ByteArray(0))

/**
 * The current state and its changes; of several quick changes, possibly only the last. Cold and infinite: a closed session
 * ends once its collectors are cancelled.
 */
val Session.states: Flow<SessionState>
    get() = flow {
        var state = state()
        while (true) {
            emit(state)
            state = nextState(state)
        }
    }

/** The state as a [StateFlow] in [scope], for a user interface. */
fun Session.stateIn(scope: CoroutineScope): StateFlow<SessionState> = states.stateIn(scope, SharingStarted.Eagerly, state())

/** A logger that passes every entry to [write], on the session's thread, which it blocks. */
fun sessionLogger(write: (LogEntry) -> Unit): SessionLogger = object : SessionLogger {
    override fun log(entry: LogEntry) = write(entry)
}
