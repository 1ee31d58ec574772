package dev.regrant

import java.nio.channels.FileChannel
import java.nio.channels.OverlappingFileLockException
import java.nio.file.Path
import java.nio.file.StandardOpenOption.CREATE
import java.nio.file.StandardOpenOption.WRITE
import java.util.concurrent.ConcurrentHashMap
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.delay
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.withContext

/**
 * A lock for all processes of this machine, in the file [path], which stays when it is released. The system releases it
 * when a process dies.
 */
internal class ProcessLock(private val path: Path) {
    // A lock of a file belongs to the whole process, so within it something else must lock.
    private val mutex = mutexes.computeIfAbsent(path) { Mutex() }
    private var channel: FileChannel? = null

    /** Waits for whoever has it. Cancelled, it is not held. */
    suspend fun lock() {
        mutex.lock()
        try {
            withContext(Dispatchers.IO) { channel = FileChannel.open(path, setOf(CREATE, WRITE), *ownerOnly(path)) }
            while (!withContext(Dispatchers.IO) { tryLock() }) delay(PAUSE_MS)
        } catch (thrown: Throwable) {
            unlock()
            throw thrown
        }
    }

    fun unlock() {
        try {
            channel?.close()
        } finally {
            channel = null
            mutex.unlock()
        }
    }

    private fun tryLock(): Boolean = try {
        checkNotNull(channel).tryLock() != null
    } catch (_: OverlappingFileLockException) {
        // By this library in another class loader.
        false
    }

    private companion object {
        const val PAUSE_MS = 10L
        val mutexes = ConcurrentHashMap<Path, Mutex>()
    }
}
