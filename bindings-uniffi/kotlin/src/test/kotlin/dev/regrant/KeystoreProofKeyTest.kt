package dev.regrant

import dev.example.KeystoreProofKey
import java.io.InputStream
import java.io.OutputStream
import java.security.Key
import java.security.KeyPair
import java.security.KeyPairGenerator
import java.security.KeyPairGeneratorSpi
import java.security.KeyStoreSpi
import java.security.Provider
import java.security.SecureRandom
import java.security.Security
import java.security.UnrecoverableKeyException
import java.security.cert.Certificate
import java.security.spec.AlgorithmParameterSpec
import java.security.spec.ECGenParameterSpec
import java.util.Collections
import java.util.Date
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows

/** The Android example over a fake keystore. */
class KeystoreProofKeyTest {
    @BeforeEach fun install() {
        FakeKeystore.pair = null
        FakeKeystore.failing = false
        Security.addProvider(FakeKeystore())
    }

    @AfterEach fun uninstall() = Security.removeProvider("AndroidKeyStore")

    @Test fun `a key is generated once and can be deleted`() {
        val key = KeystoreProofKey()
        val public = key.publicKey()
        assertArrayEquals(public, KeystoreProofKey().publicKey())
        assertEquals(0x30, key.sign("message".toByteArray()).first().toInt())
        key.delete()
        assertThrows<CallbackException.Lost> { key.sign("message".toByteArray()) }
        assertFalse(public.contentEquals(key.publicKey()))
    }

    /** `containsAlias` is false then, as on Android. */
    @Test fun `a failing keystore does not replace the key`() {
        val key = KeystoreProofKey()
        val public = key.publicKey()
        FakeKeystore.failing = true
        assertThrows<UnrecoverableKeyException> { key.publicKey() }
        assertThrows<UnrecoverableKeyException> { key.sign("message".toByteArray()) }
        FakeKeystore.failing = false
        assertArrayEquals(public, key.publicKey())
    }
}

/** A provider of one key pair, whatever its alias. */
class FakeKeystore : Provider("AndroidKeyStore", "1", "a fake") {
    init {
        put("KeyStore.AndroidKeyStore", Store::class.java.name)
        put("KeyPairGenerator.EC", Generator::class.java.name)
    }

    companion object {
        var pair: KeyPair? = null
        var failing = false
    }

    class Generator : KeyPairGeneratorSpi() {
        override fun initialize(keysize: Int, random: SecureRandom?) = Unit
        override fun initialize(params: AlgorithmParameterSpec?, random: SecureRandom?) = Unit
        override fun generateKeyPair(): KeyPair = KeyPairGenerator.getInstance("EC", "SunEC").run {
            initialize(ECGenParameterSpec("secp256r1"))
            generateKeyPair().also { pair = it }
        }
    }

    class Store : KeyStoreSpi() {
        override fun engineGetKey(alias: String, password: CharArray?): Key? {
            if (failing) throw UnrecoverableKeyException("Failed to obtain information about key")
            return pair?.private
        }

        override fun engineGetCertificate(alias: String): Certificate? = pair?.takeUnless { failing }?.let(::Holder)
        override fun engineContainsAlias(alias: String) = engineGetCertificate(alias) != null
        override fun engineIsKeyEntry(alias: String) = engineContainsAlias(alias)
        override fun engineDeleteEntry(alias: String) { pair = null }
        override fun engineLoad(stream: InputStream?, password: CharArray?) = Unit

        override fun engineGetCertificateChain(alias: String): Array<Certificate>? = null
        override fun engineGetCreationDate(alias: String): Date? = null
        override fun engineAliases() = Collections.emptyEnumeration<String>()
        override fun engineSize() = 0
        override fun engineIsCertificateEntry(alias: String) = false
        override fun engineGetCertificateAlias(certificate: Certificate?): String? = null
        override fun engineSetCertificateEntry(alias: String, certificate: Certificate?) = Unit
        override fun engineSetKeyEntry(alias: String, key: ByteArray?, chain: Array<Certificate>?) = Unit
        override fun engineSetKeyEntry(alias: String, key: Key?, password: CharArray?, chain: Array<Certificate>?) = Unit
        override fun engineStore(stream: OutputStream?, password: CharArray?) = Unit
    }

    class Holder(private val pair: KeyPair) : Certificate("X.509") {
        override fun getPublicKey() = pair.public
        override fun getEncoded(): ByteArray = pair.public.encoded
        override fun verify(key: java.security.PublicKey?) = Unit
        override fun verify(key: java.security.PublicKey?, provider: String?) = Unit
        override fun toString() = "a key"
    }
}
