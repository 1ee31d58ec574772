package dev.regrant

import java.util.concurrent.Executors
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.SharingStarted
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.stateIn

/**
 * Makes a request of [method] to [url] with an access token, and with a DPoP proof if the token is bound to the session's key
 * (RFC 9449): [send] adds `headers` to it. Retries it once if the server rejects the token or the proof, unless [isRepeatable]
 * is false, because [send] cannot send the body again: a stream, for example. [head] returns the status and headers of a response,
 * [from] the URL that it came from if the client follows redirects. Returns every response, whatever its status.
 *
 * For any HTTP client; for OkHttp and Ktor see `dev.regrant.okhttp` and `dev.regrant.ktor`. The coroutine may be cancelled at
 * any time: a refresh that was started continues, and its tokens are stored.
 *
 * @throws RegrantException with the advice to sign in or to retry.
 */
suspend fun <T> Session.authorize(
    method: String,
    url: String,
    head: (T) -> HttpResponse,
    isRepeatable: Boolean = true,
    from: (T) -> String? = { null },
    send: suspend (headers: List<HttpHeader>) -> T,
): T {
    var attempt = attempt(method, url)
    while (true) {
        val response = send(attempt.headers())
        val next = nextAttempt(attempt, head(response), from(response))
        if (next == null || !isRepeatable) return response
        attempt = next
    }
}

/** The headers that a session sets on requests of the app, except for that of a proof. */
internal val TOKEN_HEADERS = listOf("Authorization", "accesstoken")

/** The part of a response that a session needs: [status] and [headers], without the body. */
fun responseHead(status: Int, headers: Iterable<Pair<String, String>>): HttpResponse =
    HttpResponse(status.toUShort(), headers.map { (name, value) -> HttpHeader(name, value) }, ByteArray(0))

/**
 * The current state and its changes; of several quick changes, possibly only the last. Cold, and infinite unless the session's
 * thread dies: a closed session ends once its collectors are cancelled.
 */
val Session.states: Flow<SessionState>
    get() = flow {
        var state: SessionState? = state()
        while (state != null) {
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

/**
 * Runs what a session calls in the app: transport, storage, key. Its threads are not limited in number and not shared with
 * the app, whose threads may all be waiting for the session. A session makes one or two calls at a time. Idle threads end.
 */
internal val callbackDispatcher: CoroutineDispatcher = Executors.newCachedThreadPool { work ->
    Thread(work, "regrant-callback").apply { isDaemon = true }
}.asCoroutineDispatcher()
