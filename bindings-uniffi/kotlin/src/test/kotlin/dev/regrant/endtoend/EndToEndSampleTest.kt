package dev.regrant.endtoend

import dev.regrant.Program
import java.nio.file.Path
import kotlin.io.path.exists
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.io.TempDir

/** The sample does what the README says. */
@OverTheBed
class EndToEndSampleTest {
    @TempDir lateinit var folder: Path

    @Test
    fun `signs up, calls and signs out`() = runBlocking {
        val proxy = FaultProxy.open()
        val environment = mapOf("REGRANT_SERVER" to proxy.url, "REGRANT_SAMPLE_FOLDER" to "$folder")
        fun sample(vararg arguments: String): Pair<Int, String> {
            val program = Program.start("sample.MainKt", *arguments, environment = environment, input = "correct horse\n")
            val (status, lines) = program.use { it.ends() }
            return status to lines.joinToString("\n")
        }
        fun expect(status: Int, text: String, vararg arguments: String) {
            val (ended, said) = sample(*arguments)
            assertEquals(status, ended, said)
            assertTrue(text in said, said)
        }
        val email = proxy.email("sample")
        expect(1, "Sign in", "me")
        expect(0, "signed in", "sign-up", email)
        proxy.untilExpired()
        expect(0, email, "me")
        assertEquals(1, proxy.counts().refreshes("arrived"))
        expect(0, "signed out", "sign-out")
        assertFalse(folder.resolve("session").exists())
        expect(1, "Sign in", "me")
        expect(0, "signed in", "sign-in", email)
        expect(1, "usage:", "dance")
    }
}
