package dev.example

import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import dev.regrant.EncryptedFileStorage
import dev.regrant.TokenStorage
import java.io.File
import java.security.KeyStore
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey

// An example to copy into an Android app. The tests compile it against stubs; it was never run on a device.

private const val PROVIDER = "AndroidKeyStore"
private const val ALIAS = "regrant-session"

/**
 * Stores the tokens in a file encrypted with a key that never leaves the keystore:
 * `keystoreStorage(context.noBackupFilesDir)`. Keep the file out of backups, because the key does not move to another
 * device. Android invalidates a key for good, for example after a change of the lock screen: the user must then sign in again,
 * and the storage replaces the key.
 */
fun keystoreStorage(folder: File): TokenStorage =
    EncryptedFileStorage(File(folder, "session").toPath(), keystoreKey(), ::newKey)

private fun keystoreKey(): SecretKey {
    val keys = KeyStore.getInstance(PROVIDER).apply { load(null) }
    return keys.getKey(ALIAS, null) as SecretKey? ?: newKey()
}

private fun newKey(): SecretKey {
    val purposes = KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT
    val spec = KeyGenParameterSpec.Builder(ALIAS, purposes)
        .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
        .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
        .setKeySize(256)
        .build()
    return KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, PROVIDER).run {
        init(spec)
        generateKey()
    }
}
