package dev.regrant.endtoend

import dev.regrant.Advice
import dev.regrant.advice
import dev.regrant.asRegrantClock
import dev.regrant.RegrantException
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

/** Concurrent calls over several expiries, with and without packet loss. */
@OverTheBed
class EndToEndCallsTest {
    @TempDir lateinit var folder: Path

    @Test
    fun `one refresh per expiry`() = runBlocking(Dispatchers.Default) {
        val proxy = FaultProxy.open()
        App(proxy, folder).use { app ->
            app.session.signIn(proxy.signUp("calls"))
            // A JVM that was just started is slow: a burst may take longer than the 2 seconds that a token lives.
            repeat(2) { List(100) { async { app.call() } }.awaitAll() }
            proxy.countAnew()
            val tokens = mutableSetOf<String>()
            repeat(expiries) {
                app.callsAtOnce(100)
                tokens += app.session.accessToken()
                proxy.untilExpired()
            }
            app.callsAtOnce(100)
            val counts = proxy.counts()
            val arrived = counts.refreshes("arrived")
            assertEquals(listOf(arrived, arrived), listOf("presented", "granted").map(counts::refreshes), "$counts")
            assertTrue(arrived >= expiries && tokens.size == expiries, "$counts")
            report("expiries: ${counts.calls(200)} calls, 0 failed; $expiries expiries, $arrived refreshes")
        }
    }

    /** Many users with one app each; every third refresh loses its response. */
    @Test
    fun `lost responses sign nobody out`() = runBlocking(Dispatchers.Default) {
        val proxy = FaultProxy.open()
        val users = 20
        proxy.faults("""{"lose":0.3}""")
        val apps = List(users) { user ->
            App(proxy, Files.createDirectory(folder.resolve("$user"))).also { it.session.signIn(proxy.signUp("lossy$user")) }
        }
        var toldLater = 0
        repeat(expiries) {
            proxy.untilExpired()
            val answers = apps.map { app -> async { app.callUntilAnswered() } }.awaitAll()
            assertEquals(setOf(200), answers.map { it.first }.toSet())
            toldLater += answers.sumOf { it.second }
        }
        apps.forEach(App::close)
        val counts = proxy.counts()
        val (arrived, lost) = counts.refreshes("arrived") to counts.refreshes("lost")
        assertEquals(arrived, counts.grantedOrPutOff(), "$counts")
        assertTrue(lost > 0 && arrived >= users * expiries + lost, "$counts")
        report("losses: $users users, $expiries expiries, $arrived refreshes, $lost answers lost; $toldLater retries, 0 signed out")
    }

    @Test
    fun `a clock ten minutes off changes nothing`() = runBlocking(Dispatchers.Default) {
        val (ahead, behind) = listOf(10L, -10L).map { minutes -> async { atWrongTime(Duration.ofMinutes(minutes)) } }.awaitAll()
        report("clocks: $ahead refreshes 10 minutes ahead, $behind behind, 0 failed")
    }

    private suspend fun atWrongTime(by: Duration): Int {
        val proxy = FaultProxy.open()
        val clock = Clock.offset(Clock.systemUTC(), by).asRegrantClock()
        val folder = Files.createDirectory(folder.resolve("by$by"))
        App(proxy, folder, clock).use { it.session.signIn(proxy.signUp("wrong")) }
        repeat(expiries) {
            App(proxy, folder, clock).use { app -> app.callsAtOnce(10) }
            // The next run of the app knows the server's time too.
            App(proxy, folder, clock).use { app ->
                app.callsAtOnce(10)
                proxy.untilExpired()
                app.callsAtOnce(10)
            }
        }
        val counts = proxy.counts()
        val arrived = counts.refreshes("arrived")
        assertEquals(listOf(arrived, arrived), listOf("presented", "granted").map(counts::refreshes), "$counts")
        assertTrue(arrived >= expiries, "$counts")
        return arrived
    }

    @Test
    fun `network failures sign nobody out`() = runBlocking(Dispatchers.Default) {
        val proxy = FaultProxy.open()
        App(proxy, folder).use { app ->
            app.session.signIn(proxy.signUp("offline"))
            proxy.faults("""{"cut":true}""")
            proxy.untilExpired()
            repeat(20) {
                val refusal = assertThrows<RegrantException> { runBlocking { app.session.accessToken() } }
                assertEquals(Advice.RETRY, refusal.advice)
            }
            proxy.faults("{}")
            assertEquals(200, app.callUntilAnswered().first)
        }
    }
}
