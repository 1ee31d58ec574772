package dev.regrant.endtoend

import dev.regrant.Advice
import dev.regrant.advice
import dev.regrant.forRegrant
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

/** Many calls at once over several expiries, on a network that loses and on one that does not. */
@OverTheBed
class EndToEndCallsTest {
    @TempDir lateinit var folder: Path

    @Test
    fun `one refresh for every expiry`() = runBlocking(Dispatchers.Default) {
        val line = Line.open()
        App(line, folder).use { app ->
            app.session.signIn(line.signUp("calls"))
            // A JVM that was just started is slow: a burst may outlast a token that lives for 2 seconds, even one renewed for it.
            repeat(2) { List(100) { async { app.call() } }.awaitAll() }
            line.countAnew()
            val tokens = mutableSetOf<String>()
            repeat(expiries) {
                app.callsAtOnce(100)
                tokens += app.session.accessToken()
                line.untilExpired()
            }
            app.callsAtOnce(100)
            val counts = line.counts()
            val arrived = counts.refreshes("arrived")
            assertEquals(listOf(arrived, arrived), listOf("presented", "granted").map(counts::refreshes), "$counts")
            assertTrue(arrived >= expiries && tokens.size == expiries, "$counts")
            report("expiries: ${counts.calls(200)} calls, 0 failed; $expiries expiries, $arrived refreshes")
        }
    }

    /** Many users, each with an app of his own; a refresh in three gets no answer. */
    @Test
    fun `lost answers sign nobody out`() = runBlocking(Dispatchers.Default) {
        val line = Line.open()
        val users = 20
        line.faults("""{"lose":0.3}""")
        val apps = List(users) { user ->
            App(line, Files.createDirectory(folder.resolve("$user"))).also { it.session.signIn(line.signUp("lossy$user")) }
        }
        var toldLater = 0
        repeat(expiries) {
            line.untilExpired()
            val answers = apps.map { app -> async { app.callUntilAnswered() } }.awaitAll()
            assertEquals(setOf(200), answers.map { it.first }.toSet())
            toldLater += answers.sumOf { it.second }
        }
        apps.forEach(App::close)
        val counts = line.counts()
        val (arrived, lost) = counts.refreshes("arrived") to counts.refreshes("lost")
        assertEquals(arrived, counts.refreshes("granted"), "$counts")
        assertTrue(lost > 0 && arrived >= users * expiries + lost, "$counts")
        report("losses: $users users, $expiries expiries, $arrived refreshes, $lost answers lost; $toldLater callers told to try later, 0 signed out")
    }

    @Test
    fun `a clock that is ten minutes wrong changes nothing`() = runBlocking(Dispatchers.Default) {
        val (ahead, behind) = listOf(10L, -10L).map { minutes -> async { atWrongTime(Duration.ofMinutes(minutes)) } }.awaitAll()
        report("clocks: $ahead refreshes 10 minutes ahead, $behind behind, 0 failed")
    }

    private suspend fun atWrongTime(by: Duration): Int {
        val line = Line.open()
        val clock = Clock.offset(Clock.systemUTC(), by).forRegrant()
        val folder = Files.createDirectory(folder.resolve("by$by"))
        App(line, folder, clock).use { it.session.signIn(line.signUp("wrong")) }
        repeat(expiries) {
            App(line, folder, clock).use { app -> app.callsAtOnce(10) }
            // The next run of the app knows it too.
            App(line, folder, clock).use { app ->
                app.callsAtOnce(10)
                line.untilExpired()
                app.callsAtOnce(10)
            }
        }
        val counts = line.counts()
        val arrived = counts.refreshes("arrived")
        assertEquals(listOf(arrived, arrived), listOf("presented", "granted").map(counts::refreshes), "$counts")
        assertTrue(arrived >= expiries, "$counts")
        return arrived
    }

    @Test
    fun `without a network nobody is signed out`() = runBlocking(Dispatchers.Default) {
        val line = Line.open()
        App(line, folder).use { app ->
            app.session.signIn(line.signUp("offline"))
            line.faults("""{"cut":true}""")
            line.untilExpired()
            repeat(20) {
                val refusal = assertThrows<RegrantException> { runBlocking { app.session.accessToken() } }
                assertEquals(Advice.RETRY, refusal.advice)
            }
            line.faults("{}")
            assertEquals(200, app.callUntilAnswered().first)
        }
    }
}
