package dev.regrant

import java.nio.file.Path
import javax.crypto.AEADBadTagException
import javax.crypto.Cipher
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext

/**
 * Stores the tokens in the file [path], encrypted with AES-GCM under [key]. A lock file beside it (`.lock`) serializes the
 * processes of this machine. The folder must exist, on a local file system.
 *
 * The file is as safe as the key: prefer a key in the platform's keystore (on Android: `examples/android`);
 * [loadOrCreateKey] stores one in another file.
 *
 * A file that was modified, truncated or encrypted with another key is unreadable: the user must sign in
 * ([SignOutReason.Unreadable]), and the file stays until then.
 */
class EncryptedFileStorage(path: Path, private val key: SecretKey) : TokenStorage {
    // With the real folder, so that all paths to this file share one lock.
    private val file = path.toAbsolutePath().run { parent.toRealPath().resolve(fileName) }
    private val content = DurableFile(file)
    private val lock = ProcessLock(sibling(file, ".lock"))

    override suspend fun read(): ByteArray? = withContext(Dispatchers.IO) { content.read()?.let(::decrypt) }

    override suspend fun write(value: ByteArray): Unit = withContext(Dispatchers.IO) { content.write(encrypt(value)) }

    override suspend fun clear(): Unit = withContext(Dispatchers.IO) { content.remove() }

    override suspend fun lock() = lock.lock()

    override fun unlock() = lock.unlock()

    private fun encrypt(value: ByteArray): ByteArray {
        val cipher = Cipher.getInstance(ALGORITHM)
        // Keystores generate the IV themselves.
        cipher.init(Cipher.ENCRYPT_MODE, key)
        check(cipher.iv.size == IV_BYTES) { "unexpected IV of ${cipher.iv.size} bytes" }
        cipher.updateAAD(HEADER)
        return HEADER + cipher.iv + cipher.doFinal(value)
    }

    /** Empty if it cannot be decrypted, which is not a token pair and so unreadable. */
    private fun decrypt(stored: ByteArray): ByteArray {
        val start = HEADER.size + IV_BYTES
        if (stored.size < start + TAG_BITS / 8 || !stored.copyOf(HEADER.size).contentEquals(HEADER)) return ByteArray(0)
        val cipher = Cipher.getInstance(ALGORITHM)
        cipher.init(Cipher.DECRYPT_MODE, key, GCMParameterSpec(TAG_BITS, stored, HEADER.size, IV_BYTES))
        cipher.updateAAD(HEADER)
        return try {
            cipher.doFinal(stored, start, stored.size - start)
        } catch (_: AEADBadTagException) {
            ByteArray(0)
        }
    }

    private companion object {
        const val ALGORITHM = "AES/GCM/NoPadding"
        const val IV_BYTES = 12
        const val TAG_BITS = 128
        val HEADER = "regrant1".toByteArray()
    }
}
