package dev.example

import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import dev.regrant.ProofKey
import java.security.KeyPairGenerator
import java.security.KeyStore
import java.security.PrivateKey
import java.security.Signature
import java.security.spec.ECGenParameterSpec

// An example for an Android app: copy it. It is compiled in the tests here against stubs, and was never run on a device.

private const val PROVIDER = "AndroidKeyStore"

/**
 * A key that never leaves the keystore, which the tokens of a session are bound to (DPoP, RFC 9449): whoever copies the
 * tokens off the device cannot use them. `Session(…, proofKey = KeystoreProofKey())`.
 */
class KeystoreProofKey(private val alias: String = "regrant-proof") : ProofKey {
    private val keys = KeyStore.getInstance(PROVIDER).apply { load(null) }

    // One at a time: a key that is made anew takes the place of the one that tokens are bound to. An app of several
    // processes makes it in one of them.
    override fun publicKey(): ByteArray = synchronized(KeystoreProofKey::class) {
        if (!keys.containsAlias(alias)) generate()
        keys.getCertificate(alias).publicKey.encoded
    }

    override fun sign(message: ByteArray): ByteArray = Signature.getInstance("SHA256withECDSA").run {
        initSign(keys.getKey(alias, null) as PrivateKey)
        update(message)
        sign()
    }

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
