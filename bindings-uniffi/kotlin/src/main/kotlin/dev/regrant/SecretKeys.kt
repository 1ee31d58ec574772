package dev.regrant

import java.nio.file.Path
import java.security.SecureRandom
import javax.crypto.SecretKey
import javax.crypto.spec.SecretKeySpec
import kotlinx.coroutines.runBlocking

private const val KEY_BYTES = 32

/**
 * The AES key in the file [path], which its owner alone can read; made at the first call. Reads a file: not for the main
 * thread of a user interface.
 *
 * It keeps the tokens from whoever gets hold of the encrypted file alone: a backup, a synchronised folder, a support
 * bundle. So keep it in another place. It does not keep them from whoever can read all files of the user.
 *
 * @throws IllegalStateException when the file has something else.
 */
fun secretKeyIn(path: Path): SecretKey {
    val file = path.toAbsolutePath().run { parent.toRealPath().resolve(fileName) }
    val lock = ProcessLock(beside(file, ".lock"))
    // Two processes that start at once must not make two keys.
    val bytes = runBlocking {
        lock.lock()
        try {
            val content = DurableFile(file)
            content.read() ?: ByteArray(KEY_BYTES).also(SecureRandom()::nextBytes).also(content::write)
        } finally {
            lock.unlock()
        }
    }
    check(bytes.size == KEY_BYTES) { "the file of the key has ${bytes.size} bytes instead of $KEY_BYTES" }
    return SecretKeySpec(bytes, "AES")
}
