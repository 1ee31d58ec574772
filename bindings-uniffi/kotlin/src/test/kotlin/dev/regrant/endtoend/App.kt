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

/** A process of an app: a session over the file `session` in [folder], and OkHttp calls with its tokens. */
class App(proxy: FaultProxy, folder: Path, clock: Clock? = null, key: ProofKey? = null) : AutoCloseable {
    // Tokens live for seconds here, so the longest backoff must be short too. A disk that is busy with other things takes
    // seconds to write a small file durably.
    val session = Session(
        SessionConfig(
            RefreshEndpoint(proxy.refreshUrl), initialBackoff = Duration.ofMillis(50), maxBackoff = Duration.ofSeconds(1),
            storageTimeout = Duration.ofMinutes(1), persistTimeout = Duration.ofMinutes(1),
        ),
        OkHttpTransport(plain), storage(folder), clock = clock, proofKey = key,
    )
    private val http = plain.newBuilder().bearer(session) { true }.build()
    private val me = Request.Builder().url("${proxy.url}/api/me").build()

    /** Makes a call; returns the status. */
    suspend fun call(): Int = http.newCall(me).status()

    /** Makes [count] concurrent calls, all of which must succeed. */
    suspend fun callsAtOnce(count: Int) = coroutineScope {
        assertEquals(List(count) { 200 }, List(count) { async { call() } }.awaitAll())
    }

    /** Makes a call and retries it while the advice is to retry; returns the number of retries. */
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

    /** Renews the access token even if it is still valid. */
    suspend fun renew(): String = session.renew(session.accessToken())

    override fun close() = session.close()

    companion object {
        // No limit on concurrent calls.
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
