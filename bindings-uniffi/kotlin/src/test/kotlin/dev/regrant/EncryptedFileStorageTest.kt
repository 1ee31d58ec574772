package dev.regrant

import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.attribute.PosixFilePermissions
import java.util.Base64
import java.util.concurrent.atomic.AtomicBoolean
import java.util.concurrent.atomic.AtomicInteger
import javax.crypto.spec.SecretKeySpec
import kotlin.io.path.exists
import kotlin.io.path.readBytes
import kotlin.io.path.writeBytes
import kotlin.random.Random
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.yield
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir

class EncryptedFileStorageTest {
    @TempDir lateinit var folder: Path
    private val file get() = folder.resolve("session")
    private val key get() = loadOrCreateKey(folder.resolve("key"))
    private val value = "the pair of tokens".toByteArray()

    private fun storage() = EncryptedFileStorage(file, key)

    @Test
    fun `a written value is read back and not in the file as plain text`() = runBlocking {
        assertNull(storage().read())
        storage().write(value)
        assertArrayEquals(value, storage().read())
        val first = file.readBytes()
        assertFalse("tokens" in first.toString(Charsets.ISO_8859_1))
        storage().write(value)
        assertFalse(first.contentEquals(file.readBytes()), "an IV was used twice")
        storage().clear()
        assertNull(storage().read())
        storage().clear()
    }

    @Test
    fun `reads a file written by version 0_1_0`() = runBlocking {
        file.writeBytes(Base64.getDecoder().decode("cmVncmFudDFkZWZnaGlqa2xtbm8pO64HEJt27UoNLY2+RQiEYvIoO6VclhqSG6lMWqT+H+TeE8+I0Q=="))
        val key = SecretKeySpec(ByteArray(32) { it.toByte() }, "AES")
        assertEquals("a pair stored by 0.1.0", EncryptedFileStorage(file, key).read()?.decodeToString())
    }

    @Test
    fun `the files are private`() = runBlocking {
        storage().run { write(value); lock(); unlock() }
        for (name in listOf("session", "session.lock", "key")) {
            val permissions = PosixFilePermissions.toString(Files.getPosixFilePermissions(folder.resolve(name)))
            assertEquals("rw-------", permissions, name)
        }
    }

    @Test
    fun `a modified or truncated file is unreadable and kept`() = runBlocking {
        storage().write(value)
        val whole = file.readBytes()
        val changed = whole.indices.map { at -> whole.copyOf().also { it[at] = (it[at] + 1).toByte() } }
        val cut = whole.indices.map(whole::copyOf)
        for (bytes in changed + cut + listOf(whole + 0, ByteArray(0))) {
            file.writeBytes(bytes)
            assertEquals(0, storage().read()?.size)
            assertArrayEquals(bytes, file.readBytes())
        }
        file.writeBytes(whole)
        assertEquals(0, EncryptedFileStorage(file, SecretKeySpec(Random.nextBytes(32), "AES")).read()?.size)
        assertArrayEquals(value, storage().read())
    }

    @Test
    fun `an unreadable file signs out`() = runBlocking {
        file.writeBytes("half a".toByteArray())
        Session(SessionConfig(ENDPOINT), FakeServer(), storage()).use { session ->
            val refusal = runCatching { session.accessToken() }.exceptionOrNull() as RegrantException
            assertEquals(SignOutReason.Unreadable, refusal.signOut)
            session.signIn(TokenPair("a", "r"))
            assertEquals("a", session.accessToken())
        }
    }

    @Test
    fun `a partial write has no effect`() = runBlocking {
        storage().write(value)
        folder.resolve("session.next").writeBytes("half".toByteArray())
        assertArrayEquals(value, storage().read())
        storage().write("next".toByteArray())
        assertEquals("next", storage().read()?.decodeToString())
        assertFalse(folder.resolve("session.next").exists())
    }

    @Test
    fun `failures to read or write are thrown`() {
        Files.createDirectory(file)
        file.resolve("in the way").writeBytes(value)
        assertThrows<Exception> { runBlocking { storage().read() } }
        assertThrows<Exception> { runBlocking { storage().write(value) } }
        assertThrows<Exception> { EncryptedFileStorage(folder.resolve("no such folder/session"), key) }
    }

    @Test
    fun `the lock is exclusive between storages of one process`() = runBlocking(Dispatchers.Default) {
        val (inside, most, turns) = Triple(AtomicInteger(), AtomicInteger(), AtomicInteger())
        val key = key
        (1..8).map {
            async {
                val storage = EncryptedFileStorage(folder.resolve("../${folder.fileName}/session"), key)
                repeat(20) {
                    storage.lock()
                    most.accumulateAndGet(inside.incrementAndGet(), ::maxOf)
                    turns.incrementAndGet()
                    yield()
                    inside.decrementAndGet()
                    storage.unlock()
                }
            }
        }.forEach { it.await() }
        assertEquals(1 to 160, most.get() to turns.get())
    }

    @Test
    fun `a cancelled waiter does not hold the lock`() = runBlocking(Dispatchers.Default) {
        val (holder, other) = storage() to storage()
        holder.lock()
        repeat(20) { round ->
            val waiting = launch { other.lock() }
            if (round % 2 == 0) yield()
            waiting.cancelAndJoin()
        }
        holder.unlock()
        other.lock()
        other.unlock()
    }

    @Test
    fun `the lock is exclusive between processes and released by a kill`() = runBlocking(Dispatchers.Default) {
        val (storage, released) = storage() to folder.resolve("released")
        storage.lock()
        Program.start("dev.regrant.LockHolderKt", file, folder.resolve("key"), released).use { other ->
            other.says("waiting")
            released.writeBytes(ByteArray(0))
            storage.unlock()
            assertEquals("locked after the release", other.says("locked"))
            val isKilled = AtomicBoolean()
            val waiting = async {
                storage.lock()
                isKilled.get()
            }
            // A chance to acquire the held lock by mistake.
            repeat(20) { yield() }
            isKilled.set(true)
            other.process.destroyForcibly()
            assertTrue(waiting.await(), "two processes had the lock")
            storage.unlock()
        }
    }
}
