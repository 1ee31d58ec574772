package dev.regrant

import android.security.keystore.KeyPermanentlyInvalidatedException
import java.nio.file.Path
import java.security.InvalidKeyException
import java.time.Duration
import javax.crypto.SecretKey
import kotlin.random.Random
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotEquals
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir

/** An encrypted file whose key cannot be used: for good, as after a new fingerprint on Android, or for now. */
class InvalidatedKeyTest {
    /** A key of the Android Keystore: the cipher asks for it, and gets an exception. */
    private class KeystoreKey : SecretKey {
        private val bytes = Random.nextBytes(32)
        @Volatile var failing: InvalidKeyException? = null

        override fun getAlgorithm() = "AES"
        override fun getFormat() = "RAW"

        // The cipher wipes what it gets.
        override fun getEncoded(): ByteArray = failing?.let { throw it } ?: bytes.clone()
    }

    @TempDir lateinit var folder: Path
    private val server = FakeServer()
    private val clock = ManualClock(NOW)
    private val keys = mutableListOf(KeystoreKey())

    private fun newKey() = KeystoreKey().also { keys += it }

    /** As in a new process: with the current key. */
    private fun storage(replace: (() -> SecretKey)? = ::newKey) = EncryptedFileStorage(folder.resolve("session"), keys.last(), replace)

    /** [patience] is how long a storage is tried: short only where it cannot work. */
    private fun session(storage: TokenStorage = storage(), patience: Duration = Duration.ofSeconds(30)): Session {
        val ms10 = Duration.ofMillis(10)
        val config = SessionConfig(ENDPOINT, initialBackoff = ms10, maxBackoff = ms10, persistTimeout = patience)
        return Session(config, server, storage, clock = clock)
    }

    private fun signIn() = server.pair().also { pair -> session().use { runBlocking { it.signIn(pair) } } }

    private fun invalidate() {
        keys.last().failing = KeyPermanentlyInvalidatedException()
    }

    private fun refusalOf(work: suspend () -> Unit) = assertThrows<RegrantException> { runBlocking { withTimeout(60_000) { work() } } }

    private val lost = SessionState.SignedOut(SignOutReason.StorageLost)

    @Test
    fun `a key that is invalidated for good signs out, and the next login works`() {
        signIn()
        invalidate()
        val next = server.pair()
        session().use { session ->
            assertEquals(lost, runBlocking { withTimeout(60_000) { session.states.first { it != SessionState.Unknown } } })
            repeat(2) {
                val refusal = refusalOf { session.accessToken() }
                assertEquals(Advice.SIGN_IN to SignOutReason.StorageLost, refusal.advice to refusal.signOut)
            }
            assertEquals(1, keys.size, "a new key before there is something to encrypt")
            runBlocking { session.signIn(next) }
            assertEquals(next.accessToken, runBlocking { session.accessToken() })
        }
        assertEquals(2, keys.size)
        assertEquals(next.accessToken, session().use { runBlocking { it.accessToken() } })
    }

    @Test
    fun `a key that is invalidated while the app runs signs out at the next refresh`() {
        signIn()
        session().use { session ->
            val held = runBlocking { session.accessToken() }
            invalidate()
            assertEquals(held, runBlocking { session.accessToken() })
            clock.advance(Duration.ofMinutes(16))
            assertEquals(SignOutReason.StorageLost, refusalOf { session.accessToken() }.signOut)
            assertEquals(lost, session.state())
            runBlocking { session.signIn(server.pair()) }
        }
        assertEquals(2, keys.size)
    }

    /** There is no file to read, so only the first write meets the key. */
    @Test
    fun `a first login replaces a key that was invalidated before`() {
        invalidate()
        val pair = signIn()
        assertEquals(2, keys.size)
        assertEquals(pair.accessToken, session().use { runBlocking { it.accessToken() } })
    }

    @Test
    fun `a key that cannot be used for now signs nobody out`() {
        val pair = signIn()
        keys.last().failing = InvalidKeyException("the device is locked")
        session(patience = Duration.ofMillis(10)).use { session ->
            val refusal = refusalOf { session.accessToken() }
            assertEquals(Advice.RETRY to "the token storage failed", refusal.advice to refusal.detail)
            keys.last().failing = null
            runBlocking { until("it works again") { runCatching { session.accessToken() }.getOrNull() == pair.accessToken } }
        }
        assertEquals(1, keys.size)
    }

    @Test
    fun `without a way to make a new key the next login fails`() {
        signIn()
        invalidate()
        session(storage(replace = null), patience = Duration.ofMillis(10)).use { session ->
            assertEquals(SignOutReason.StorageLost, refusalOf { session.accessToken() }.signOut)
            val refusal = refusalOf { session.signIn(server.pair()) }
            assertEquals(Advice.RETRY to "ERR_STORE_UNAVAILABLE", refusal.advice to refusal.code)
        }
    }

    /** The tokens that are bound to the lost key are useless without it, so a new one does no harm. */
    @Test
    fun `a proof key that is lost with its storage is replaced`() = runBlocking {
        val first = thumbprintOf(softwareProofKey(storage()))
        assertEquals(first, thumbprintOf(softwareProofKey(storage())))
        invalidate()
        val second = thumbprintOf(softwareProofKey(storage()))
        assertNotEquals(first, second)
        assertEquals(second, thumbprintOf(softwareProofKey(storage())))
        assertEquals(2, keys.size)
    }
}
