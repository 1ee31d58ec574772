package dev.regrant

import java.nio.file.Path
import java.security.InvalidKeyException
import java.security.SecureRandom
import javax.crypto.AEADBadTagException
import javax.crypto.Cipher
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec
import javax.crypto.spec.SecretKeySpec
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext

/**
 * Stores the tokens in the file [path], encrypted with AES-GCM under [key]. A lock file beside it (`.lock`) serializes the
 * processes of this machine. The folder must exist, on a local file system.
 *
 * The file is as safe as the key: prefer a key in the platform's keystore (on Android: `examples/android`);
 * [loadOrCreateKey] stores one in another file.
 *
 * A file that was modified, truncated or encrypted with another key is unreadable: the user must sign in
 * ([SignOutReason.Unreadable]), and the file stays until then. So must the user of a key that Android has invalidated for good,
 * for example after a change of the device's fingerprints ([SignOutReason.StorageLost]); [newKey] then creates the key for the next
 * sign-in. Without [newKey] that sign-in fails.
 */
class EncryptedFileStorage(
    path: Path,
    @Volatile private var key: SecretKey,
    private val newKey: (() -> SecretKey)? = null,
) : TokenStorage {
    @Volatile private var isKeyLost = false
    private val turn = Mutex()
    private val file: DurableFile
    private val lock: FileLock

    init {
        val absolute = path.inExistingFolder()
        file = DurableFile(absolute)
        lock = FileLock("$absolute.lock")
    }

    override suspend fun read(): ByteArray? = inTurn { file.read()?.let(::decrypt) }

    override suspend fun write(value: ByteArray): Unit = inTurn { file.replace(encrypt(value)) }

    override suspend fun clear(): Unit = inTurn {
        file.remove()
        if (isKeyLost) newKey?.let { key = it() }
        isKeyLost = false
    }

    /**
     * A call that was given up, because a disk is slow, goes on until it is done: it must not take effect after a later
     * one.
     */
    private suspend fun <T> inTurn(work: () -> T): T = turn.withLock { withContext(callbackDispatcher) { work() } }

    override suspend fun lock() = lock.lock()

    override fun unlock() = lock.unlock()

    private fun encrypt(value: ByteArray): ByteArray {
        val cipher = Cipher.getInstance(ALGORITHM)
        // Keystores generate the IV themselves.
        usingKey { cipher.init(Cipher.ENCRYPT_MODE, key) }
        check(cipher.iv.size == IV_BYTES) { "unexpected IV of ${cipher.iv.size} bytes" }
        cipher.updateAAD(HEADER)
        return HEADER + cipher.iv + cipher.doFinal(value)
    }

    /** Empty if it cannot be decrypted, which is not a token pair and so unreadable. */
    private fun decrypt(stored: ByteArray): ByteArray {
        val start = HEADER.size + IV_BYTES
        if (stored.size < start + TAG_BITS / 8 || !stored.copyOf(HEADER.size).contentEquals(HEADER)) return ByteArray(0)
        val cipher = Cipher.getInstance(ALGORITHM)
        usingKey { cipher.init(Cipher.DECRYPT_MODE, key, GCMParameterSpec(TAG_BITS, stored, HEADER.size, IV_BYTES)) }
        cipher.updateAAD(HEADER)
        return try {
            cipher.doFinal(stored, start, stored.size - start)
        } catch (_: AEADBadTagException) {
            ByteArray(0)
        }
    }

    private inline fun usingKey(work: () -> Unit) = try {
        work()
    } catch (error: InvalidKeyException) {
        // A class of Android, which the JVM does not have. Other causes are temporary, such as a locked device.
        val classes = generateSequence<Class<*>>(error.javaClass) { it.superclass }
        if (classes.none { it.name == INVALIDATED }) throw error
        isKeyLost = true
        throw CallbackException.Lost("the key was invalidated")
    }

    private companion object {
        const val INVALIDATED = "android.security.keystore.KeyPermanentlyInvalidatedException"
        const val ALGORITHM = "AES/GCM/NoPadding"
        const val IV_BYTES = 12
        const val TAG_BITS = 128
        val HEADER = "regrant1".toByteArray()
    }
}

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
    val absolute = path.inExistingFolder()
    val (file, lock) = DurableFile(absolute) to FileLock("$absolute.lock")
    // Two processes that start at once must not create two keys.
    runBlocking { lock.lock() }
    val bytes = try {
        file.read() ?: ByteArray(KEY_BYTES).also(SecureRandom()::nextBytes).also(file::replace)
    } finally {
        lock.unlock()
    }
    check(bytes.size == KEY_BYTES) { "the key file has ${bytes.size} bytes instead of $KEY_BYTES" }
    return SecretKeySpec(bytes, "AES")
}

private const val KEY_BYTES = 32
private const val LOCK_RETRY_DELAY_MS = 10L

/**
 * Takes the lock, waiting while it is held elsewhere. Not held if cancelled: [FileLock.tryLock] waits for nothing, so it
 * needs no other dispatcher, from which a cancelled coroutine would not return its result.
 */
private suspend fun FileLock.lock() {
    while (!tryLock()) delay(LOCK_RETRY_DELAY_MS)
}

/** The absolute path. Fails if there is no such folder. */
private fun Path.inExistingFolder(): String = toAbsolutePath().run { parent.toRealPath().resolve(fileName) }.toString()
