package dev.regrant

import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test

class ConcurrencyTest {
    @Test
    fun `one verifier serves many coroutines`() = runBlocking(Dispatchers.Default) {
        val count = 64
        val rounds = 50
        verifier().use { verifier ->
            val subjects = (1..count).map { number ->
                async {
                    val good = TestTokens.hs256("""{"sub":"사용자-$number","exp":1700000900}""")
                    val forged = good.dropLast(4) + "AAAA"
                    (1..rounds).map {
                        val refused = runCatching { verifier.verify(forged) }.exceptionOrNull()
                        assertEquals("ERR_SIGNATURE_INVALID", (refused as? RegrantException)?.code)
                        verifier.verify(good).subject
                    }
                }
            }.awaitAll()
            assertEquals((1..count).map { number -> List(rounds) { "사용자-$number" } }, subjects)
        }
    }
}
