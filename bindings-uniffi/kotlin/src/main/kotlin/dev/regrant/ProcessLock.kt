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
 * A lock between the processes of this machine, on the file [path], which is not deleted. The system releases it when the
 * process ends.
 */
internal class ProcessLock(private val path: Path) {
    // A file lock belongs to the whole process, so a mutex locks within it.
    private val mutex = mutexes.computeIfAbsent(path) { Mutex() }
    private var channel: FileChannel? = null

    /** Takes the lock, waiting while it is held elsewhere. Not held if cancelled. */
    suspend fun lock() {
        mutex.lock()
        try {
            withContext(Dispatchers.IO) { channel = FileChannel.open(path, setOf(CREATE, WRITE), *ownerOnly(path)) }
            while (!withContext(Dispatchers.IO) { tryLock() }) delay(RETRY_DELAY_MS)
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
        // Held by this library in another class loader.
        false
    }

    private companion object {
        const val RETRY_DELAY_MS = 10L
        val mutexes = ConcurrentHashMap<Path, Mutex>()
    }
}
