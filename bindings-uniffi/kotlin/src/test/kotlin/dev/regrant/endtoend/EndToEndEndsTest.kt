package dev.regrant.endtoend

import dev.regrant.SessionState
import dev.regrant.SignOutReason
import dev.regrant.okhttp.NoAccessTokenException
import dev.regrant.signOut
import dev.regrant.until
import java.nio.file.Files
import java.nio.file.Path
import kotlin.io.path.exists
import kotlin.io.path.readBytes
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir

/** Detected thefts, and cancelled callers. */
@OverTheBed
class EndToEndEndsTest {
    @TempDir lateinit var folder: Path

    /** With the thief refreshing before the app, and after it. */
    @Test
    fun `a theft revokes the session and the app learns the reason`() = runBlocking(Dispatchers.Default) {
        val reason = SignOutReason.Reused
        for (how in listOf("steal", "replay")) {
            val proxy = FaultProxy.open()
            val folder = Files.createDirectory(folder.resolve(how))
            App(proxy, folder).use { app ->
                app.session.signIn(proxy.signUp("victim"))
                // Restart the app: one run does not renew twice in a row.
                repeat(2) { App(proxy, folder).use { it.renew() } }
                assertTrue(App.file(folder).exists())
                proxy.thief(how)
                proxy.untilExpired()
                val refusal = assertThrows<NoAccessTokenException> { runBlocking { app.call() } }.error
                assertEquals(reason, refusal.signOut, how)
                assertEquals(SessionState.SignedOut(reason), app.session.state(), how)
                until("$how: the storage is cleared") { !App.file(folder).exists() }
                report("theft by $how: the app gets ${refusal.signOut}, its storage is cleared")
            }
        }
    }

    @Test
    fun `a coroutine cancelled during a refresh keeps the pair`() = runBlocking(Dispatchers.Default) {
        val proxy = FaultProxy.open()
        val app = App(proxy, folder)
        app.session.signIn(proxy.signUp("cancelled"))
        val before = App.file(folder).readBytes()
        proxy.untilExpired()
        proxy.faults("""{"hold":true}""")
        val caller = launch { app.session.accessToken() }
        proxy.untilHeld(1)
        caller.cancelAndJoin()
        app.close()
        proxy.faults("{}")
        until("the pair is stored") { !App.file(folder).readBytes().contentEquals(before) }
        App(proxy, folder).use { assertEquals(200, it.call()) }
        assertEquals(1, proxy.counts().refreshes("arrived"))
        report("cancelled: the pair of a refresh whose caller gave up is stored")
    }
}
