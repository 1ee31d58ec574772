package dev.regrant

import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.atomic.AtomicInteger
import kotlinx.coroutines.CompletableDeferred

/**
 * A scripted server: it grants every refresh unless [answer] is replaced. Its tokens are issued at the time of [clock]:
 * a session takes the server's time from them.
 */
class FakeServer(private val clock: Clock = ManualClock(NOW)) : Transport {
    val requests = ConcurrentLinkedQueue<HttpRequest>()
    private val minted = AtomicInteger()

    /** If set, responses wait for it after the request was processed. */
    @Volatile var gate: CompletableDeferred<Unit>? = null

    /** Completed by the first request. */
    @Volatile var asked = CompletableDeferred<Unit>()

    @Volatile var answer: (HttpRequest) -> HttpResponse = { grant() }

    override suspend fun send(request: HttpRequest): HttpResponse {
        requests += request
        val response = answer(request)
        asked.complete(Unit)
        gate?.await()
        return response
    }

    fun pair() = minted.incrementAndGet().let { number -> TokenPair(access(number), "refresh-$number") }

    /** A pair whose access token is bound to [key]. */
    fun boundPair(key: ProofKey) = pair().copy(accessToken = access(0, ""","cnf":{"jkt":"${thumbprintOf(key)}"}"""))

    fun grant() = pair().let { json(200, """{"accessToken":"${it.accessToken}","refreshToken":"${it.refreshToken}"}""") }

    private fun access(number: Int, more: String = "") = clock.now().epochSecond.let { now ->
        TestTokens.hs256("""{"sub":"user-7","iat":$now,"exp":${now + 900},"n":$number$more}""")
    }
}

fun json(status: Int, body: String, vararg headers: Pair<String, String>) =
    HttpResponse(status.toUShort(), headers.map { (name, value) -> HttpHeader(name, value) }, body.toByteArray())

fun refusal(status: Int, code: String, advice: String, more: String = "") =
    json(status, """{"error":{"code":"$code","advice":"$advice"$more}}""")

/** A storage that counts its locks and throws [failing], in [failsIn] or in all operations. */
class FakeStorage : TokenStorage {
    @Volatile var stored: ByteArray? = null
    @Volatile var failing: Throwable? = null
    @Volatile var failsIn: String? = null
    @Volatile var locking: CompletableDeferred<Unit>? = null
    val locks = AtomicInteger()
    val unlocks = AtomicInteger()

    private fun begin(operation: String) {
        if (failsIn == null && operation in listOf("lock", "unlock") || failsIn != null && failsIn != operation) return
        failing?.let { throw it }
    }

    override suspend fun read(): ByteArray? {
        begin("read")
        return stored
    }

    override suspend fun write(value: ByteArray) {
        begin("write")
        stored = value
    }

    override suspend fun clear() {
        begin("clear")
        stored = null
    }

    override suspend fun lock() {
        begin("lock")
        locking?.await()
        locks.incrementAndGet()
    }

    override fun unlock() {
        begin("unlock")
        unlocks.incrementAndGet()
    }
}

val ENDPOINT = RefreshEndpoint("https://api.example/auth/refresh")

suspend fun until(what: String, holds: suspend () -> Boolean) {
    val started = System.nanoTime()
    while (!holds()) {
        check(System.nanoTime() - started < 60_000_000_000) { "never: $what" }
        kotlinx.coroutines.delay(2)
    }
}
