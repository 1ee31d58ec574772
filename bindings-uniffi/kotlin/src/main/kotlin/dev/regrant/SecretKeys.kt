package dev.regrant

import java.nio.file.Path
import java.security.SecureRandom
import javax.crypto.SecretKey
import javax.crypto.spec.SecretKeySpec
import kotlinx.coroutines.runBlocking

private const val KEY_BYTES = 32

/**
 * Loads the AES key in the file [path], or creates one. Only the owner can read the file. Blocks on file I/O: do not call
 * it on the main thread.
 *
 * It protects the tokens where only the encrypted file leaks (a backup, a synchronised folder, a support bundle), so store
 * it elsewhere. It does not protect them from a process that can read all files of the user.
 *
 * @throws IllegalStateException if the file contains something else.
 */
fun loadOrCreateKey(path: Path): SecretKey {
    val file = path.toAbsolutePath().run { parent.toRealPath().resolve(fileName) }
    val lock = ProcessLock(sibling(file, ".lock"))
    // Two processes that start at once must not create two keys.
    val bytes = runBlocking {
        lock.lock()
        try {
            val content = DurableFile(file)
            content.read() ?: ByteArray(KEY_BYTES).also(SecureRandom()::nextBytes).also(content::write)
        } finally {
            lock.unlock()
        }
    }
    check(bytes.size == KEY_BYTES) { "the key file has ${bytes.size} bytes instead of $KEY_BYTES" }
    return SecretKeySpec(bytes, "AES")
}
