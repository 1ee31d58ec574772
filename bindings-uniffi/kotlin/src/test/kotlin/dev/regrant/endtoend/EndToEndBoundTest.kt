package dev.regrant.endtoend

import dev.regrant.DeviceKey
import dev.regrant.SessionState
import dev.regrant.SignOutReason
import dev.regrant.asRegrantClock
import dev.regrant.okhttp.NoAccessTokenException
import dev.regrant.signOut
import dev.regrant.softwareProofKey
import java.nio.file.Files
import java.nio.file.Path
import java.time.Clock
import java.time.Duration
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir

/** Apps whose tokens are bound to a key (DPoP, RFC 9449). */
@OverTheBed
class EndToEndBoundTest {
    @TempDir lateinit var folder: Path

    @Test
    fun `a bound session survives expiries with any clock`() = runBlocking(Dispatchers.Default) {
        val refused = listOf(0L, 10L, -10L).map { minutes -> async { overExpiries(Duration.ofMinutes(minutes)) } }.awaitAll()
        report("bound: $expiries expiries each, proofs refused at the login: $refused; none later")
    }

    private suspend fun overExpiries(wrongBy: Duration): Int {
        val proxy = FaultProxy.open()
        val (clock, key) = Clock.offset(Clock.systemUTC(), wrongBy).asRegrantClock() to DeviceKey()
        val folder = Files.createDirectory(folder.resolve("by$wrongBy"))
        val refused = App(proxy, folder, clock, key).use { proxy.signUpBound("bound", it.session) }
        assertEquals(if (wrongBy.isZero) 0 else 1, refused, "$wrongBy")
        repeat(expiries) {
            // A new run of the app.
            App(proxy, folder, clock, key).use { app ->
                app.callsAtOnce(20)
                proxy.untilExpired()
                app.callsAtOnce(20)
            }
        }
        val counts = proxy.counts()
        val arrived = counts.refreshes("arrived")
        assertEquals(listOf(arrived, arrived), listOf("presented", "granted").map(counts::refreshes), "$counts")
        assertTrue(arrived >= expiries && key.signed.get() >= counts.calls(200), "$counts")
        assertEquals(0, counts.calls(401), "$counts")
        return refused
    }

    @Test
    fun `stolen bound tokens are useless and sign nobody out`() = runBlocking(Dispatchers.Default) {
        val proxy = FaultProxy.open()
        val key = softwareProofKey(App.storage(Files.createDirectory(folder.resolve("own"))))
        App(proxy, folder, key = key).use { app ->
            proxy.signUpBound("robbed", app.session)
            val refusal = assertThrows<IllegalStateException> { runBlocking { proxy.thief("steal") } }
            assertTrue("ERR_DPOP_PROOF_MISSING" in "${refusal.message}", refusal.message)
            proxy.untilExpired()
            assertEquals(200, app.call())
        }
        val another = softwareProofKey(App.storage(Files.createDirectory(folder.resolve("another"))))
        App(proxy, folder, key = another).use { app ->
            val refusal = assertThrows<NoAccessTokenException> { runBlocking { app.call() } }.error
            assertEquals(SignOutReason.OtherKey, refusal.signOut)
            assertEquals(SessionState.SignedOut(SignOutReason.OtherKey), app.session.state())
        }
        // The stored key is loaded again.
        val again = softwareProofKey(App.storage(folder.resolve("own")))
        App(proxy, folder, key = again).use { assertEquals(200, it.call()) }
        report("stolen: the thief of bound tokens is rejected, the app continues")
    }
}
