package dev.regrant.endtoend

import dev.regrant.Advice
import dev.regrant.Clock
import dev.regrant.EncryptedFileStorage
import dev.regrant.ProofKey
import dev.regrant.RefreshEndpoint
import dev.regrant.Session
import dev.regrant.SessionConfig
import dev.regrant.advice
import dev.regrant.okhttp.NoAccessTokenException
import dev.regrant.okhttp.OkHttpTransport
import dev.regrant.okhttp.bearer
import dev.regrant.retryAfter
import dev.regrant.loadOrCreateKey
import java.io.IOException
import java.nio.file.Path
import java.time.Duration
import kotlin.coroutines.resume
import kotlin.coroutines.resumeWithException
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.delay
import kotlinx.coroutines.suspendCancellableCoroutine
import okhttp3.Call
import okhttp3.Callback
import okhttp3.Dispatcher
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.Response
import org.junit.jupiter.api.Assertions.assertEquals

/** A process of an app: a session over the file `session` in [folder], and calls by OkHttp with its tokens. */
class App(proxy: FaultProxy, folder: Path, clock: Clock? = null, key: ProofKey? = null) : AutoCloseable {
    // Tokens live for seconds here: the longest wait is to be of their kind.
    val session = Session(
        SessionConfig(RefreshEndpoint(proxy.refreshUrl), initialBackoff = Duration.ofMillis(50), maxBackoff = Duration.ofSeconds(1)),
        OkHttpTransport(plain), storage(folder), clock = clock, proofKey = key,
    )
    private val http = plain.newBuilder().bearer(session) { true }.build()
    private val me = Request.Builder().url("${proxy.url}/api/me").build()

    /** A call as an app makes it: the status of the answer. */
    suspend fun call(): Int = http.newCall(me).status()

    /** So many calls at once, all of which must do. */
    suspend fun callsAtOnce(count: Int) = coroutineScope {
        assertEquals(List(count) { 200 }, List(count) { async { call() } }.awaitAll())
    }

    /** A call, tried again for as long as the app is told to; gives how often that was. */
    suspend fun callUntilAnswered(): Pair<Int, Int> {
        var again = 0
        while (true) {
            try {
                return call() to again
            } catch (thrown: NoAccessTokenException) {
                if (thrown.error.advice != Advice.RETRY) throw thrown
                again += 1
                delay(checkNotNull(thrown.error.retryAfter).toMillis().coerceAtLeast(10))
            }
        }
    }

    /** Another access token, whatever the one at hand is good for. */
    suspend fun renew(): String = session.renew(session.accessToken())

    override fun close() = session.close()

    companion object {
        // As many calls at once as there are.
        private val dispatcher = Dispatcher().apply { maxRequests = 500; maxRequestsPerHost = 500 }
        private val plain = OkHttpClient.Builder().dispatcher(dispatcher).build()

        fun file(folder: Path): Path = folder.resolve("session")

        fun storage(folder: Path) = EncryptedFileStorage(file(folder), loadOrCreateKey(folder.resolve("key")))
    }
}

private suspend fun Call.status(): Int = suspendCancellableCoroutine { waiting ->
    waiting.invokeOnCancellation { cancel() }
    enqueue(object : Callback {
        override fun onFailure(call: Call, e: IOException) = waiting.resumeWithException(e)
        override fun onResponse(call: Call, response: Response) = waiting.resume(response.use { it.code })
    })
}
