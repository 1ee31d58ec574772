package dev.regrant

import java.security.PublicKey

/**
 * A key from one of the JDK, as `KeyFactory`, `KeyStore` and `X509Certificate` give it.
 *
 * Whether it fits [algorithm] is checked when the verifier is made.
 *
 * @throws IllegalArgumentException when the key does not give its bytes away (SPKI).
 */
fun VerificationKey.Companion.of(algorithm: Algorithm, publicKey: PublicKey, kid: String? = null): VerificationKey {
    val der = requireNotNull(publicKey.encoded) { "the public key has no encoded form" }
    return VerificationKey(algorithm, KeyMaterial.PublicDer(der), kid)
}
