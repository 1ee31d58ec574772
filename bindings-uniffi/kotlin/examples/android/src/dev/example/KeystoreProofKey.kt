package dev.example

import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyPermanentlyInvalidatedException
import android.security.keystore.KeyProperties
import dev.regrant.CallbackException
import dev.regrant.ProofKey
import java.security.KeyPairGenerator
import java.security.KeyStore
import java.security.PrivateKey
import java.security.Signature
import java.security.spec.ECGenParameterSpec

// An example to copy into an Android app. The tests compile it against stubs; it was never run on a device.

private const val PROVIDER = "AndroidKeyStore"

/**
 * A key that never leaves the keystore, to bind the tokens of a session to (DPoP, RFC 9449): copied tokens are useless
 * without it. `Session(…, proofKey = KeystoreProofKey())`.
 */
class KeystoreProofKey(private val alias: String = "regrant-proof") : ProofKey {
    private val keys = KeyStore.getInstance(PROVIDER).apply { load(null) }

    // Synchronized, because a second key would replace the one that tokens are bound to. An app of several processes must
    // create the key in one of them.
    override fun publicKey(): ByteArray = synchronized(KeystoreProofKey::class) {
        // Not `containsAlias`, which is also false when the keystore fails: a new key would replace the existing one.
        if (keys.getKey(alias, null) == null) generate()
        keys.getCertificate(alias).publicKey.encoded
    }

    // A key that was deleted or invalidated never signs again: then the user signs in with a new one, after `delete`.
    // Every other error is temporary.
    override fun sign(message: ByteArray): ByteArray = try {
        val key = keys.getKey(alias, null) as PrivateKey? ?: throw CallbackException.Lost("the key was deleted")
        Signature.getInstance("SHA256withECDSA").run {
            initSign(key)
            update(message)
            sign()
        }
    } catch (_: KeyPermanentlyInvalidatedException) {
        throw CallbackException.Lost("the key was invalidated")
    }

    /** Deletes the key. Tokens that are bound to it cannot be used any more: sign out first. */
    fun delete() = keys.deleteEntry(alias)

    private fun generate() {
        val spec = KeyGenParameterSpec.Builder(alias, KeyProperties.PURPOSE_SIGN)
            .setAlgorithmParameterSpec(ECGenParameterSpec("secp256r1"))
            .setDigests(KeyProperties.DIGEST_SHA256)
            .build()
        KeyPairGenerator.getInstance(KeyProperties.KEY_ALGORITHM_EC, PROVIDER).run {
            initialize(spec)
            generateKeyPair()
        }
    }
}
