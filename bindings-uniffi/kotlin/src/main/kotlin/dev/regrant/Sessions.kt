package dev.regrant

import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.SharingStarted
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.stateIn

/**
 * Makes a request with an access token, and once more with another one if the server does not take the first:
 * [isUnauthorized] tells by its answer, which is most often status 401. An answer that stays unauthorized is returned.
 *
 * For whatever sends requests with bearer tokens; for OkHttp and Ktor there are `dev.regrant.okhttp` and `dev.regrant.ktor`. The coroutine
 * may be cancelled at any time: a refresh that has begun goes on, and its tokens are kept.
 *
 * @throws RegrantException with the advice to sign in or to retry.
 */
suspend fun <T> Session.authorize(isUnauthorized: (T) -> Boolean, send: suspend (accessToken: String) -> T): T {
    val token = accessToken()
    val answer = send(token)
    if (!isUnauthorized(answer)) return answer
    val another = tokenForRetry(token) ?: return answer
    return send(another)
}

/**
 * As above for the request of [method] to [url], whose token may be bound to the key of the session (DPoP, RFC 9449): it
 * carries `headers`, and is sent once more with others where its answer says so, of which [head] gives status and headers.
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
    val answer = send(authorization.headers())
    val seen = head(answer)
    if (!authorization.heeds(seen.status)) return answer
    val another = authorizationForRetry(authorization, seen) ?: return answer
    // It is the second time: what may be in its answer is for the next request.
    return send(another.headers()).also { learn(url, head(it)) }
}

/** What a session needs to know of an answer: its [status] and its headers, without the body. */
fun answerHead(status: Int, headers: Iterable<Pair<String, String>>): HttpResponse =
    HttpResponse(status.toUShort(), headers.map { (name, value) -> HttpHeader(name, value) }, ByteArray(0))

/**
 * The state now, and every one that follows; of several in a row perhaps only the last. Cold, without an end: a session
 * that is closed ends after its collectors are cancelled.
 */
val Session.states: Flow<SessionState>
    get() = flow {
        var state = state()
        while (true) {
            emit(state)
            state = nextState(state)
        }
    }

/** The state for as long as [scope] lives: what a screen shows. */
fun Session.stateIn(scope: CoroutineScope): StateFlow<SessionState> = states.stateIn(scope, SharingStarted.Eagerly, state())

/** A logger that hands every entry to [write], on the session's own thread, which waits meanwhile. */
fun sessionLogger(write: (LogEntry) -> Unit): SessionLogger = object : SessionLogger {
    override fun log(entry: LogEntry) = write(entry)
}
