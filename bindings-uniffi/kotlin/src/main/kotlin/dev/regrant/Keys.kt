package dev.regrant

import java.security.PublicKey

/**
 * A verification key from a JDK key, as from `KeyFactory`, `KeyStore` or `X509Certificate`.
 *
 * The constructor of the verifier checks that it fits [algorithm].
 *
 * @throws IllegalArgumentException if the key has no encoded form (SPKI).
 */
fun VerificationKey.Companion.of(algorithm: Algorithm, publicKey: PublicKey, kid: String? = null): VerificationKey {
    val der = requireNotNull(publicKey.encoded) { "the public key has no encoded form" }
    return VerificationKey(algorithm, KeyMaterial.PublicDer(der), kid)
}
