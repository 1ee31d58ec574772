package dev.regrant

import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.attribute.PosixFilePermissions
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
    fun `what is written is read, by another one too, and is not in the file`() = runBlocking {
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
    fun `nobody else may read the files`() = runBlocking {
        storage().run { write(value); lock(); unlock() }
        for (name in listOf("session", "session.lock", "key")) {
            val permissions = PosixFilePermissions.toString(Files.getPosixFilePermissions(folder.resolve(name)))
            assertEquals("rw-------", permissions, name)
        }
    }

    @Test
    fun `a file that was changed or cut short anywhere is no pair, and stays`() = runBlocking {
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
    fun `a session over such a file asks to sign in`() = runBlocking {
        file.writeBytes("half a".toByteArray())
        Session(SessionConfig(ENDPOINT), FakeServer(), storage()).use { session ->
            val refusal = runCatching { session.accessToken() }.exceptionOrNull() as RegrantException
            assertEquals(SignOutReason.Unreadable, refusal.signOut)
            session.signIn(TokenPair("a", "r"))
            assertEquals("a", session.accessToken())
        }
    }

    @Test
    fun `what somebody who was killed has left does no harm`() = runBlocking {
        storage().write(value)
        folder.resolve("session.next").writeBytes("half".toByteArray())
        assertArrayEquals(value, storage().read())
        storage().write("next".toByteArray())
        assertEquals("next", storage().read()?.decodeToString())
        assertFalse(folder.resolve("session.next").exists())
    }

    @Test
    fun `a file that cannot be read or written is a failure, not nothing`() {
        Files.createDirectory(file)
        file.resolve("in the way").writeBytes(value)
        assertThrows<Exception> { runBlocking { storage().read() } }
        assertThrows<Exception> { runBlocking { storage().write(value) } }
        assertThrows<Exception> { EncryptedFileStorage(folder.resolve("no such folder/session"), key) }
    }

    @Test
    fun `one at a time has the lock, whichever storage it goes by`() = runBlocking(Dispatchers.Default) {
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
    fun `whoever gives up waiting for the lock does not get it`() = runBlocking(Dispatchers.Default) {
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
    fun `another process waits for the lock, and loses it when it dies`() = runBlocking(Dispatchers.Default) {
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
            // It has had its chance to get what it must not.
            repeat(20) { yield() }
            isKilled.set(true)
            other.process.destroyForcibly()
            assertTrue(waiting.await(), "two processes had the lock")
            storage.unlock()
        }
    }
}
