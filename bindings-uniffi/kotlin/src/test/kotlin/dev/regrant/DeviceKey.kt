package dev.regrant

import java.security.KeyPairGenerator
import java.security.Signature
import java.security.spec.ECGenParameterSpec
import java.util.concurrent.atomic.AtomicInteger

/** A key that makes the same JCA calls as the Android example. */
class DeviceKey : ProofKey {
    val signed = AtomicInteger()

    /** Thrown by [sign] if set. */
    @Volatile var failing: Throwable? = null

    private val pair = KeyPairGenerator.getInstance("EC").run {
        initialize(ECGenParameterSpec("secp256r1"))
        generateKeyPair()
    }

    override fun publicKey(): ByteArray = pair.public.encoded

    override fun sign(message: ByteArray): ByteArray = Signature.getInstance("SHA256withECDSA").run {
        failing?.let { throw it }
        initSign(pair.private)
        update(message)
        signed.incrementAndGet()
        sign()
    }
}
