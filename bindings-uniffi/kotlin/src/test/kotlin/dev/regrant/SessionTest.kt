package dev.regrant

import java.io.IOException
import java.time.Duration
import java.util.concurrent.ConcurrentLinkedQueue
import java.util.concurrent.atomic.AtomicBoolean
import java.util.concurrent.atomic.AtomicReference
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancel
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.fail

class SessionTest {
    private val clock = ManualClock(NOW)
    private val server = FakeServer(clock)
    private val storage = FakeStorage()
    private val log = ConcurrentLinkedQueue<LogEntry>()
    private val ms10 = Duration.ofMillis(10)

    private fun session(config: SessionConfig = SessionConfig(ENDPOINT, initialBackoff = ms10, maxBackoff = ms10)) =
        Session(config, server, storage, logger = sessionLogger { log += it }, clock = clock)

    private suspend fun signedIn() = session().also { it.signIn(server.pair()) }

    private fun expire() = clock.advance(Duration.ofMinutes(16))

    private suspend fun refusalOf(work: suspend () -> Unit): RegrantException = try {
        work()
        fail("it was not refused")
    } catch (refusal: RegrantException) {
        refusal
    }

    @Test
    fun `an unavailable key is a transient error and an invalid one is rejected at once`(): Unit = runBlocking {
        val key = DeviceKey()
        Session(SessionConfig(ENDPOINT), server, storage, clock = clock, proofKey = key).use { session ->
            session.signIn(server.boundPair(key))
            key.failing = IllegalStateException("the device is locked")
            val refusal = assertThrows<RegrantException> { runBlocking { session.attempt("GET", "https://api.example/me") } }
            assertEquals(Advice.RETRY to "ERR_STORE_UNAVAILABLE", refusal.advice to refusal.code)
            key.failing = null
            val headers = session.attempt("GET", "https://api.example/me").headers()
            assertEquals(listOf("authorization", "dpop"), headers.map { it.name })
            assertEquals(SessionState.SignedIn, session.state())
        }
        val stray = refusalOf { session().use { it.signIn(server.boundPair(key)) } }
        assertEquals(SignOutReason.OtherKey, stray.signOut)
        val none = object : ProofKey by key {
            override fun publicKey() = ByteArray(65)
        }
        val refusal = assertThrows<RegrantException> { Session(SessionConfig(ENDPOINT), server, storage, proofKey = none) }
        assertEquals("ERR_CONFIG_INVALID" to "proofKey", refusal.code to refusal.field)
        assertThrows<RegrantException> { runBlocking { softwareProofKey(storage) } }
    }

    @Test
    fun `a key that is lost for good signs out, and a session with a new key signs in`(): Unit = runBlocking {
        val key = DeviceKey()
        Session(SessionConfig(ENDPOINT), server, storage, clock = clock, proofKey = key).use { session ->
            session.signIn(server.boundPair(key))
            key.failing = CallbackException.Lost("the key was invalidated")
            val refusal = refusalOf { session.attempt("GET", "https://api.example/me") }
            assertEquals(Advice.SIGN_IN to SignOutReason.KeyLost, refusal.advice to refusal.signOut)
            assertEquals(SessionState.SignedOut(SignOutReason.KeyLost), session.state())
        }
        val fresh = DeviceKey()
        Session(SessionConfig(ENDPOINT), server, storage, clock = clock, proofKey = fresh).use { session ->
            session.signIn(server.boundPair(fresh))
            assertEquals(2, session.attempt("GET", "https://api.example/me").headers().size)
        }
    }

    @Test
    fun `a new session is signed out`() = runBlocking {
        session().use { session ->
            val signedOut = SessionState.SignedOut(SignOutReason.NotSignedIn)
            // It reads its storage in the background, and may have done so.
            assertTrue(session.state() in setOf(SessionState.Unknown, signedOut))
            val refusal = refusalOf { session.accessToken() }
            assertEquals("ERR_TOKEN_MISSING", refusal.code)
            assertEquals(Advice.SIGN_IN, refusal.advice)
            assertEquals(SignOutReason.NotSignedIn, refusal.signOut)
            assertNull(refusal.retryAfter)
            assertEquals(signedOut, session.state())
        }
    }

    @Test
    fun `callers share one refresh, whose pair is stored first`() = runBlocking(Dispatchers.Default) {
        signedIn().use { session ->
            val first = session.accessToken()
            expire()
            val tokens = (1..100).map { async { session.accessToken().also { assertTrue(it in storage.stored!!.decodeToString()) } } }
            val renewed = tokens.awaitAll().toSet().single()
            assertNotEquals(first, renewed)
            assertEquals(1, server.requests.size)
            val request = server.requests.single()
            assertEquals("POST" to """{"refreshToken":"refresh-1"}""", request.method to request.body.decodeToString())
        }
        until("the lock is released") { storage.locks.get() == storage.unlocks.get() }
    }

    @Test
    fun `a request is retried once and the second 401 is returned`() = runBlocking {
        signedIn().use { session ->
            val sent = mutableListOf<String>()
            suspend fun call(statusOf: (Int) -> Int) = session.authorize("POST", "https://api.example/me", { responseHead(it, emptyList()) }) {
                sent += it.single().value
                statusOf(sent.size)
            }
            assertEquals(200, call { if (it == 1) 401 else 200 })
            assertEquals(2, sent.toSet().size)
            assertEquals(1, server.requests.size)
            // The server rejects the newest token as well: it is not renewed again.
            sent.clear()
            assertEquals(401, call { 401 })
            assertEquals(1, sent.size)
            assertEquals(1, server.requests.size)
            val refusal = refusalOf { session.renew(session.accessToken()) }
            assertEquals("ERR_TRANSPORT" to Advice.RETRY, refusal.code to refusal.advice)
            assertTrue(refusal.retryAfter!! > Duration.ZERO)
        }
    }

    @Test
    fun `every rejection has its sign-out reason`() = runBlocking {
        val revoked = ""","reason":"administrative""""
        for ((answer, reason) in listOf(
            refusal(401, "ERR_REFRESH_EXPIRED", "sign_in") to SignOutReason.Expired,
            refusal(401, "ERR_REFRESH_REUSED", "sign_in") to SignOutReason.Reused,
            refusal(401, "ERR_SESSION_REVOKED", "sign_in", revoked) to SignOutReason.Revoked("administrative"),
            refusal(401, "ERR_SESSION_UNKNOWN", "sign_in") to SignOutReason.Unknown,
            refusal(401, "ERR_SIGNATURE_INVALID", "reject") to SignOutReason.Rejected("ERR_SIGNATURE_INVALID"),
            refusal(401, "ERR_OF_TOMORROW", "sign_in") to SignOutReason.Rejected(null),
        )) {
            clock.instant = NOW
            server.answer = { answer }
            signedIn().use { session ->
                expire()
                assertEquals(reason, refusalOf { session.accessToken() }.signOut)
                assertEquals(SessionState.SignedOut(reason), session.state())
                until("the storage is cleared") { storage.stored == null }
            }
        }
        signedIn().use { session ->
            session.signOut()
            assertNull(storage.stored)
            assertEquals(SignOutReason.ByUser, refusalOf { session.accessToken() }.signOut)
            assertEquals("SignedOut { reason: ByUser }", session.state().toString())
        }
        // Before the session begins, because it reads the storage at once.
        storage.stored = "rubbish".toByteArray()
        session().use { session ->
            assertEquals(SignOutReason.Unreadable, refusalOf { session.accessToken() }.signOut)
        }
    }

    @Test
    fun `exceptions of transport and storage keep the tokens`() = runBlocking {
        signedIn().use { session ->
            expire()
            for (thrown in listOf(IOException("no route"), IllegalStateException(), CallbackException.Failed("no"))) {
                server.answer = { throw thrown }
                val refusal = refusalOf { session.accessToken() }
                assertEquals("ERR_TRANSPORT" to Advice.RETRY, refusal.code to refusal.advice)
            }
            until("the failure is logged") { log.any { it.level == LogLevel.WARN && "no route" in it.text } }
            storage.failing = IOException("locked until the device is unlocked")
            until("the storage is asked") { refusalOf { session.accessToken() }.code == "ERR_STORE_UNAVAILABLE" }
            storage.failing = null
            server.answer = { server.grant() }
            until("it works again") { runCatching { session.accessToken() }.isSuccess }
            assertEquals(SessionState.SignedIn, session.state())
        }
    }

    @Test
    fun `Retry-After reaches the caller`() = runBlocking {
        signedIn().use { session ->
            expire()
            server.answer = { json(503, "busy", "Retry-After" to "77") }
            val config = SessionConfig(ENDPOINT, failureThreshold = 1u)
            session(config).use { other ->
                val refusal = refusalOf { other.accessToken() }
                assertEquals(Advice.RETRY, refusal.advice)
                assertTrue(refusal.retryAfter!! in Duration.ofSeconds(70)..Duration.ofSeconds(77), "${refusal.retryAfter}")
            }
        }
    }

    @Test
    fun `a cancelled caller does not cancel the refresh`() = runBlocking {
        signedIn().use { session ->
            val before = storage.stored!!
            expire()
            server.gate = CompletableDeferred()
            val caller = launch(Dispatchers.Default) { session.accessToken() }
            server.asked.await()
            caller.cancelAndJoin()
            server.gate!!.complete(Unit)
            until("the pair is stored") { !storage.stored.contentEquals(before) }
            session.accessToken()
            assertEquals(1, server.requests.size)
        }
    }

    @Test
    fun `a refresh continues after close`() = runBlocking {
        val session = signedIn()
        val before = storage.stored!!
        expire()
        server.gate = CompletableDeferred()
        val caller = launch(Dispatchers.Default) { session.accessToken() }
        server.asked.await()
        caller.cancelAndJoin()
        session.close()
        server.gate!!.complete(Unit)
        until("the pair is stored") { !storage.stored.contentEquals(before) }
        until("the lock is released") { storage.locks.get() == storage.unlocks.get() }
    }

    @Test
    fun `a lock taken after the timeout is released`() = runBlocking {
        storage.locking = CompletableDeferred()
        session(SessionConfig(ENDPOINT, lockTimeout = ms10)).use { session ->
            assertEquals("ERR_STORE_UNAVAILABLE", refusalOf { session.signIn(server.pair()) }.code)
        }
        assertEquals(0, storage.locks.get())
        storage.locking!!.complete(Unit)
        until("the lock is released") { storage.locks.get() == 1 && storage.unlocks.get() == 1 }
    }

    @Test
    fun `the state is a flow and is reported to the listener`() = runBlocking {
        val told = ConcurrentLinkedQueue<SessionState>()
        val listener = object : SessionListener {
            override fun onState(state: SessionState) {
                told += state
                error("a listener that throws does no harm")
            }
        }
        val scope = CoroutineScope(Dispatchers.Default)
        Session(SessionConfig(ENDPOINT), server, storage, listener, clock = clock).use { session ->
            val state = session.stateIn(scope)
            session.signIn(server.pair())
            assertEquals(SessionState.SignedIn, state.first { it == SessionState.SignedIn })
            until("the listener is told") { told.lastOrNull() == SessionState.SignedIn }
            session.signOut()
            val signedOut = SessionState.SignedOut(SignOutReason.ByUser)
            assertEquals(signedOut, state.first { it != SessionState.SignedIn })
            until("the listener is told") { told.lastOrNull() == signedOut }
            scope.cancel()
        }
    }

    @Test
    fun `logs, text forms and exceptions contain no token`() = runBlocking {
        val secrets = listOf("refresh-", TestTokens.hs256("{}").take(12), "planted")
        signedIn().use { session ->
            expire()
            server.answer = { throw IOException("closed") }
            val refusal = refusalOf { session.accessToken() }
            server.answer = { server.grant() }
            until("it works again") { runCatching { session.accessToken() }.isSuccess }
            until("the refresh is logged") { log.any { "granted" in it.text } }
            val request = server.requests.first()
            val endpoint = RefreshEndpoint("https://api.example", headers = mapOf("x-key" to "planted"))
            val printed = log.map { it.toString() } + listOf(
                refusal.toString(), request.toString(), request.headers.toString(), server.pair().toString(),
                server.grant().toString(), SessionConfig(endpoint).toString(), session.toString(),
            )
            for (text in printed) assertFalse(secrets.any { it in text }, text)
        }
    }

    @Test
    fun `a throwing clock is replaced by the system clock`() = runBlocking {
        val broken = object : Clock {
            override fun now() = error("no time")
        }
        Session(SessionConfig(ENDPOINT), server, storage, clock = broken).use { session ->
            session.signIn(TokenPair("opaque", "refresh", expiresIn = Duration.ofMinutes(15)))
            assertEquals("opaque", session.accessToken())
        }
    }

    @Test
    fun `an invalid endpoint is rejected`() {
        for (url in listOf("", "api.example/refresh", "ftp://api.example", "https://", "https://api.example/a b")) {
            val refusal = assertThrows<RegrantException> { Session(SessionConfig(RefreshEndpoint(url)), server, storage) }
            assertEquals("ERR_CONFIG_INVALID" to "endpoint.url", refusal.code to refusal.field)
        }
    }

    @Test
    fun `the shape rtVerify uses headers`() = runBlocking {
        val endpoint = RefreshEndpoint("https://old.example/rtVerify", EndpointShape.RT_VERIFY, mapOf("X-Key" to "k"))
        session(SessionConfig(endpoint)).use { session ->
            session.signIn(readLogin("""{"accessToken":"Bearer a","refreshToken":"Bearer r","userId":7,"expiresIn":60}""".toByteArray())!!)
            server.answer = { json(200, """{"accessToken":"Bearer next"}""") }
            assertEquals("next", session.renew("a"))
            val headers = server.requests.single().headers.associate { it.name to it.value }
            assertEquals(listOf("Bearer r", "7", "k"), listOf("refreshtoken", "userid", "x-key").map(headers::get))
        }
    }

    @Test
    fun `the in-memory storage keeps the pair`() = runBlocking {
        val storage = inMemoryStorage()
        Session(SessionConfig(ENDPOINT), server, storage, clock = clock).use { it.signIn(server.pair()) }
        Session(SessionConfig(ENDPOINT), server, storage, clock = clock).use { it.accessToken() }
        assertEquals(0, server.requests.size)
    }

    /** Whatever is thrown: the generated code would catch exceptions only, and the session would wait for ever. */
    @Test
    fun `anything that a storage throws is a failure that ends`() = runBlocking {
        val errors = listOf(NotImplementedError(), NoClassDefFoundError("gone"), StackOverflowError(), IOException("full"))
        for (operation in listOf("read", "write", "clear", "lock", "unlock")) for (thrown in errors) {
            val clock = ManualClock(NOW)
            val (server, storage) = FakeServer(clock) to FakeStorage()
            val succeeds = operation in listOf("clear", "unlock")
            val config = SessionConfig(
                ENDPOINT,
                waitTimeout = if (succeeds) Duration.ofSeconds(30) else Duration.ofMillis(500),
                persistTimeout = Duration.ofMillis(50),
                initialBackoff = Duration.ofMillis(2),
            )
            Session(config, server, storage, clock = clock).use { session ->
                // On a busy machine a storage that works may take longer than `persistTimeout`.
                until("$operation: signed in") { runCatching { session.signIn(server.pair()) }.isSuccess }
                storage.failing = thrown
                storage.failsIn = operation
                clock.advance(Duration.ofSeconds(1000))
                val what = "$operation $thrown"
                val refreshed = withTimeout(60_000) { runCatching { session.accessToken() } }
                // New tokens are not given to a caller before they are stored.
                assertEquals(succeeds, refreshed.isSuccess, what)
                refreshed.onFailure { assertEquals(Advice.RETRY, (it as RegrantException).advice, what) }
                withTimeout(60_000) { runCatching { session.signOut() } }
                storage.failing = null
                until(what) { runCatching { session.signIn(server.pair()) }.isSuccess }
                until(what) { runCatching { session.accessToken() }.isSuccess }
            }
        }
    }

    /** As from `TODO()` or a missing class. */
    @Test
    fun `anything that transport, key, clock, listener or logger throws is a failure that ends`() = runBlocking {
        val errors = listOf(NotImplementedError(), NoClassDefFoundError("gone"), StackOverflowError(), IOException("down"))
        for (where in listOf("transport", "key", "clock", "listener", "logger")) for (thrown in errors) {
            val what = "$where $thrown"
            val clock = ManualClock(NOW)
            val (server, key) = FakeServer(clock) to DeviceKey()
            val failing = AtomicReference<String>()
            fun begin(place: String) { if (failing.get() == place) throw thrown }
            val times = object : Clock { override fun now() = clock.now().also { begin("clock") } }
            val listener = object : SessionListener { override fun onState(state: SessionState) = begin("listener") }
            val logger = sessionLogger { begin("logger") }
            val isFatal = where == "transport" || where == "key"
            // Only a call that fails waits for so long.
            val patience = Duration.ofMillis(if (isFatal) 500 else 30_000)
            val config = SessionConfig(ENDPOINT, waitTimeout = patience, initialBackoff = Duration.ofMillis(2))
            Session(config, server, FakeStorage(), listener, logger = logger, clock = times, proofKey = key).use { session ->
                session.signIn(server.boundPair(key))
                failing.set(where)
                server.answer = { begin("transport"); server.grant() }
                if (where == "key") key.failing = thrown
                clock.advance(Duration.ofSeconds(1000))
                val refreshed = withTimeout(60_000) { runCatching { session.accessToken() } }
                assertEquals(isFatal, refreshed.isFailure, what)
                refreshed.onFailure { assertEquals(Advice.RETRY, (it as RegrantException).advice, what) }
                failing.set(null)
                key.failing = null
                until(what) { runCatching { session.accessToken() }.isSuccess }
            }
        }
    }

    @Test
    fun `a storage that hangs is a failure that ends`() = runBlocking {
        for (operation in listOf("read", "write", "clear", "lock")) {
            val clock = ManualClock(NOW)
            val (server, storage) = FakeServer(clock) to FakeStorage()
            val hangs = AtomicBoolean()
            suspend fun begin(place: String) { if (hangs.get() && operation == place) awaitCancellation() }
            val hanging = object : TokenStorage by storage {
                override suspend fun read(): ByteArray? { begin("read"); return storage.read() }
                override suspend fun write(value: ByteArray) { begin("write"); storage.write(value) }
                override suspend fun clear() { begin("clear"); storage.clear() }
                override suspend fun lock() { begin("lock"); storage.lock() }
            }
            val config = SessionConfig(ENDPOINT, waitTimeout = Duration.ofSeconds(2), persistTimeout = Duration.ofMillis(50),
                initialBackoff = Duration.ofMillis(2), storageTimeout = Duration.ofMillis(200))
            Session(config, server, hanging, clock = clock).use { session ->
                until("$operation: signed in") { runCatching { session.signIn(server.pair()) }.isSuccess }
                clock.advance(Duration.ofSeconds(1000))
                hangs.set(true)
                val refreshed = withTimeout(60_000) { runCatching { session.accessToken() } }
                refreshed.onFailure { assertEquals(Advice.RETRY, (it as RegrantException).advice, operation) }
                withTimeout(60_000) { runCatching { session.signOut() } }
                hangs.set(false)
                until(operation) { runCatching { session.signIn(server.pair()) }.isSuccess }
                until(operation) { runCatching { session.accessToken() }.isSuccess }
            }
        }
    }

    @Test
    fun `a storage that lost its content signs out, and the next login works`(): Unit = runBlocking {
        val (server, storage) = FakeServer() to FakeStorage()
        Session(SessionConfig(ENDPOINT), server, storage, clock = ManualClock(NOW)).use { it.signIn(server.pair()) }
        storage.failing = CallbackException.Lost("the key was invalidated")
        storage.failsIn = "read"
        Session(SessionConfig(ENDPOINT), server, storage, clock = ManualClock(NOW)).use { session ->
            val thrown = assertThrows<RegrantException> { runBlocking { session.accessToken() } }
            assertEquals(SignOutReason.StorageLost, thrown.signOut)
            storage.failing = null
            session.signIn(server.pair())
            session.accessToken()
        }
    }

    @Test
    fun `the state is known without a call`() = runBlocking {
        val (server, storage) = FakeServer() to FakeStorage()
        Session(SessionConfig(ENDPOINT), server, storage, clock = ManualClock(NOW)).use { it.signIn(server.pair()) }
        Session(SessionConfig(ENDPOINT), server, storage, clock = ManualClock(NOW)).use { session ->
            assertEquals(SessionState.SignedIn, withTimeout(60_000) { session.states.first { it != SessionState.Unknown } })
        }
        assertEquals(0, server.requests.size)
    }

    @Test
    fun `a sign-out tells the server, now or in the next run`() = runBlocking {
        val (server, storage) = FakeServer() to FakeStorage()
        fun session() = Session(SessionConfig(ENDPOINT), server, storage, clock = ManualClock(NOW))
        val pair = server.pair()
        session().use { session ->
            session.signIn(pair)
            server.answer = { throw IOException("no route") }
            assertEquals(SignOutOutcome.PENDING, session.signOut())
        }
        server.answer = { json(204, "") }
        server.requests.clear()
        session().use { session ->
            until("the server is told") { server.requests.size == 1 }
            assertEquals("https://api.example/auth/logout", server.requests.first().url)
            assertEquals("""{"refreshToken":"${pair.refreshToken}"}""", server.requests.first().body.decodeToString())
            until("the storage is empty") { storage.stored == null }
            session.signIn(server.pair())
            assertEquals(SignOutOutcome.REVOKED, session.signOut())
            assertEquals(SignOutOutcome.LOCAL, session.signOut())
        }
    }
}
