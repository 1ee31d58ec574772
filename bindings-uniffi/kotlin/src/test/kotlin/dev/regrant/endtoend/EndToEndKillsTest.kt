package dev.regrant.endtoend

import dev.regrant.Program
import java.nio.file.Path
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

/** The exit code of a process killed by SIGKILL, as reported by the JDK. */
private const val KILLED = 128 + 9

/** After this many kills, the server's grace passes before the app is restarted. */
private const val LATE = 5

/**
 * Processes killed between the server's response and the report that the pair is stored.
 * `REGRANT_E2E_KILLS=100` for the long run.
 */
@OverTheBed
class EndToEndKillsTest {
    @TempDir lateinit var folder: Path

    @Test
    fun `an app killed during a refresh stays signed in`() = runBlocking(Dispatchers.Default) {
        val proxy = FaultProxy.open()
        App(proxy, folder).use { it.session.signIn(proxy.signUp("killed")) }
        repeat(kills) { round ->
            val moment = Moment.entries[round % Moment.entries.size]
            val about = "round $round, $moment"
            val before = proxy.counts().refreshes("granted")
            Program.start("dev.regrant.endtoend.KilledAppKt", proxy.refreshUrl, folder, moment).use { program ->
                val (status, output) = program.ends()
                assertEquals(KILLED, status, "$about: $output")
            }
            assertTrue(proxy.counts().refreshes("granted") > before, "$about: the server had answered")
            if (round % LATE == LATE - 1) delay(proxy.grace.toMillis())
            // The user restarts the app and uses it until the next refresh.
            App(proxy, folder).use { app ->
                app.renew()
                assertEquals(200, app.call(), about)
            }
        }
        val counts = proxy.counts()
        assertEquals(counts.refreshes("arrived"), counts.grantedOrPutOff(), "$counts")
        report("kills: $kills processes killed after the server's answer, ${counts.refreshes("granted")} refreshes, 0 signed out")
    }
}
