//! The public part of a key pair, its thumbprint, and the generation of new pairs.

use std::str::FromStr;
use std::{fmt, mem};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::algorithm::{Algorithm, KeyKind, RsaBits};
use super::backend::{self, Signer, Verifier};
use super::pem::{self, PemContent, PrivateKeyDer, PublicKeyBytes};
use crate::error::{Error, Result};
use crate::token::base64url;
use crate::types::SecretBytes;

/// The public part of a key pair.
///
/// ```
/// # let pem = include_str!("../../../tests/vectors/keys/test-only-ed25519-a.public.pem");
/// use regrant::keys::{KeyKind, PublicKey};
///
/// let key = PublicKey::from_pem(pem)?;
/// assert_eq!(key.kind(), KeyKind::Ed25519);
/// assert_eq!(key.thumbprint().len(), 43);
/// # Ok::<(), regrant::Error>(())
/// ```
#[derive(Debug)]
pub struct PublicKey {
    kind: KeyKind,
    bytes: PublicKeyBytes,
}

impl PublicKey {
    /// The public part of the key in a PEM file, private (PKCS#8, PKCS#1) or public (SPKI,
    /// PKCS#1).
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `privateKey` or `publicKey`, as the constructors of
    /// [`Key`](super::Key).
    pub fn from_pem(pem: &str) -> Result<Self> {
        let PemContent { kind, is_private } = PemContent::of(pem)?;
        let algorithm = kind.default_algorithm();
        let bytes = if is_private {
            Signer::parse(algorithm, &PrivateKeyDer::from_pem(algorithm, pem)?)?.1
        } else {
            PublicKeyBytes::from_pem(algorithm, pem)?
        };
        // Only the backend knows, for example, whether a point is on its curve.
        Verifier::new(algorithm, &bytes)?;
        Ok(Self { kind, bytes })
    }

    /// From bytes that a [`Verifier`] accepted or a private key yielded.
    pub(super) const fn from_checked(kind: KeyKind, bytes: PublicKeyBytes) -> Self {
        Self { kind, bytes }
    }

    /// Whether a PEM file holds a private key, by its label alone.
    pub fn is_private_pem(pem: &str) -> bool {
        PemContent::of(pem).is_ok_and(|content| content.is_private)
    }

    /// The kind of the pair.
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The size of an RSA modulus in bits; `None` for other kinds, which have one size each.
    pub fn rsa_bits(&self) -> Option<usize> {
        self.bytes.rsa_bits()
    }

    /// As PEM: a `PUBLIC KEY`, which is a `SubjectPublicKeyInfo` (RFC 5280 §4.1).
    ///
    /// # Errors
    /// [`Error::Internal`] never in practice: what was parsed can be written.
    pub fn to_pem(&self) -> Result<String> {
        self.bytes.to_pem(self.kind)
    }

    /// The JWK (RFC 7517 §4) with the required members alone.
    pub fn jwk(&self) -> Map<String, Value> {
        let members = self.members().into_iter();
        members.map(|(name, value)| (name.to_owned(), Value::String(value))).collect()
    }

    /// The JWK thumbprint with SHA-256 (RFC 7638), 43 characters of base64url: a good `kid`.
    pub fn thumbprint(&self) -> String {
        base64url::encode(&self.sha256_thumbprint())
    }

    fn sha256_thumbprint(&self) -> [u8; 32] {
        // Base64url needs no escapes, so this is the JSON of RFC 7638 §3.1 to the byte.
        let members = self.members();
        let members: Vec<_> =
            members.iter().map(|(name, value)| format!(r#""{name}":"{value}""#)).collect();
        Sha256::digest(format!("{{{}}}", members.join(","))).into()
    }

    /// The required members of the JWK (RFC 7518 §6, RFC 8037 §2), ordered by name.
    fn members(&self) -> Vec<(&'static str, String)> {
        let bytes = self.bytes.as_bytes();
        match self.kind {
            KeyKind::Rsa => {
                let (modulus, exponent) = self.bytes.rsa_components().unwrap_or_default();
                let [e, n] = [exponent, modulus].map(base64url::encode);
                vec![("e", e), ("kty", "RSA".to_owned()), ("n", n)]
            }
            KeyKind::P256 | KeyKind::P384 => {
                let (x, y) = bytes.get(1..).unwrap_or_default().split_at(bytes.len() / 2);
                vec![
                    ("crv", self.kind.as_str().to_owned()),
                    ("kty", "EC".to_owned()),
                    ("x", base64url::encode(x)),
                    ("y", base64url::encode(y)),
                ]
            }
            KeyKind::Ed25519 => vec![
                ("crv", "Ed25519".to_owned()),
                ("kty", "OKP".to_owned()),
                ("x", base64url::encode(bytes)),
            ],
        }
    }
}

/// The SHA-256 thumbprint of a public key (RFC 7638), 43 characters of base64url: the `jkt` of a
/// DPoP-bound token (RFC 9449 §6.1). It is not a secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// The thumbprint of `key`.
    ///
    /// # Errors
    /// Never in practice.
    pub fn of(key: &PublicKey) -> Result<Self> {
        Ok(Self(key.sha256_thumbprint()))
    }
}

impl FromStr for Thumbprint {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bytes = base64url::decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| Error::claim_invalid("jkt"))
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

impl TryFrom<String> for Thumbprint {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Thumbprint> for String {
    fn from(thumbprint: Thumbprint) -> Self {
        thumbprint.to_string()
    }
}

/// Checks that a request may use a token: one that is bound to a key needs a DPoP proof by that key
/// (RFC 9449 §7), and `proven` is the key of the request's proof. A token that is not bound needs none.
///
/// Refresh, logout and the use of an access token ask this before they have any effect.
///
/// # Errors
/// [`Error::DpopProofMissing`] without a proof, [`Error::DpopProofInvalid`] for one by another key.
pub fn check_binding(bound: Option<Thumbprint>, proven: Option<Thumbprint>) -> Result<()> {
    match (bound, proven) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(Error::DpopProofMissing),
        (Some(bound), Some(proven)) if bound == proven => Ok(()),
        (Some(_), Some(_)) => Err(Error::dpop_proof("the token is bound to another key")),
    }
}

/// A new key pair. `Debug` shows only the public part.
pub struct KeyPair {
    private: SecretBytes,
    public: PublicKey,
}

impl KeyPair {
    /// Generates a pair for `algorithm`, for RSA with 2048 bits.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `algorithm` when it takes a secret, or is RSA in a build
    /// without AWS-LC; [`Error::Internal`] for lack of randomness.
    ///
    /// ```
    /// use regrant::keys::{Algorithm, Key, KeyPair};
    ///
    /// let pair = KeyPair::generate(Algorithm::ES256)?;
    /// let pem = std::str::from_utf8(pair.private_pem().expose()).unwrap();
    /// assert!(Key::private_pem(Algorithm::ES256, pem)?.can_sign());
    /// # Ok::<(), regrant::Error>(())
    /// ```
    pub fn generate(algorithm: Algorithm) -> Result<Self> {
        Self::generate_kind(algorithm, RsaBits::default())
    }

    /// Generates an RSA pair of another size.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `algorithm` when it is not RSA, and as
    /// [`generate`](Self::generate).
    pub fn generate_rsa(algorithm: Algorithm, bits: RsaBits) -> Result<Self> {
        if KeyKind::of(algorithm) != Some(KeyKind::Rsa) {
            return Err(Error::config(
                "algorithm",
                format!("{algorithm} does not take an RSA key"),
            ));
        }
        Self::generate_kind(algorithm, bits)
    }

    fn generate_kind(algorithm: Algorithm, bits: RsaBits) -> Result<Self> {
        let kind =
            KeyKind::of(algorithm).ok_or_else(|| pem::takes_secret("algorithm", algorithm))?;
        let document = backend::generate(kind, bits)?;
        let private = PrivateKeyDer::from_der(algorithm, document.as_bytes())?;
        let (_, public) = Signer::parse(algorithm, &private)?;
        // Moved out, not copied: `SecretBytes` wipes it.
        let text = mem::take(&mut *pem::private_pem(&document)?);
        Ok(Self { private: SecretBytes::new(text), public: PublicKey::from_checked(kind, public) })
    }

    /// The private key in PEM (PKCS#8).
    pub const fn private_pem(&self) -> &SecretBytes {
        &self.private
    }

    /// The public key.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Key;

    /// RFC 7638 §3.1 and RFC 8037 §A.3.
    #[test]
    fn matches_the_thumbprints_of_the_rfcs() {
        let modulus = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let rsa = PublicKeyBytes::from_rsa_components(
            &base64url::decode(modulus).unwrap(),
            &base64url::decode("AQAB").unwrap(),
        );
        let rsa = PublicKey { kind: KeyKind::Rsa, bytes: rsa.unwrap() };
        assert_eq!(rsa.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert_eq!((rsa.rsa_bits(), &rsa.jwk()["n"]), (Some(2048), &modulus.into()));

        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let bytes = PublicKeyBytes::from_ed25519(&base64url::decode(x).unwrap());
        let ed = PublicKey { kind: KeyKind::Ed25519, bytes: bytes.unwrap() };
        assert_eq!(ed.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(ed.rsa_bits(), None);
    }

    #[test]
    fn to_pem_writes_what_openssl_writes() {
        for (private, public, kind) in [
            ("ed25519-a.private", "ed25519-a.public", KeyKind::Ed25519),
            ("p256-a.private", "p256-a.public", KeyKind::P256),
            ("p384-a.private", "p384-a.public", KeyKind::P384),
            ("rsa2048-a.private", "rsa2048-a.public", KeyKind::Rsa),
            ("rsa2048-a.pkcs1.private", "rsa2048-a.pkcs1.public", KeyKind::Rsa),
        ] {
            let [private, public] = [private, public].map(read);
            let spki = read(match kind {
                KeyKind::Rsa => "rsa2048-a.public",
                KeyKind::P256 => "p256-a.public",
                KeyKind::P384 => "p384-a.public",
                KeyKind::Ed25519 => "ed25519-a.public",
            });
            for pem in [&private, &public] {
                let key = PublicKey::from_pem(pem).unwrap();
                assert_eq!((key.kind(), key.to_pem().unwrap()), (kind, spki.clone()));
            }
            assert!(PublicKey::is_private_pem(&private) && !PublicKey::is_private_pem(&public));
        }
    }

    #[test]
    fn unusable_files_are_rejected_with_advice() {
        for (file, advice) in [
            ("p256-a.certificate", "openssl x509"),
            ("p256-a.sec1.private", "openssl pkcs8 -topk8"),
            ("p256-a.encrypted.private", "is encrypted"),
            ("p521.public", "another curve"),
            ("secp256k1.private", "another curve"),
            ("rsa1024.public", "1024 bits"),
            ("rsapss2048.private", "RSASSA-PSS"),
        ] {
            let problem = PublicKey::from_pem(&read(file)).unwrap_err().to_string();
            assert!(problem.contains(advice), "{file}: {problem}");
        }
    }

    fn read(name: &str) -> String {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/keys/test-only-");
        std::fs::read_to_string(format!("{folder}{name}.pem")).unwrap()
    }

    #[test]
    fn thumbprint_parses_only_its_canonical_text() {
        // RFC 9449 §6.1, the example.
        let text = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        assert_eq!(text.parse::<Thumbprint>().unwrap().to_string(), text);
        for bad in ["", "AA", &text[1..], "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4J"] {
            assert!(matches!(bad.parse::<Thumbprint>(), Err(Error::ClaimInvalid { .. })), "{bad}");
        }
    }

    #[test]
    fn generated_pairs_sign_and_verify() {
        let is_supported = |algorithm: &Algorithm| match KeyKind::of(*algorithm) {
            None => false,
            Some(KeyKind::Rsa) => cfg!(feature = "aws-lc-rs"),
            Some(_) => true,
        };
        for algorithm in Algorithm::ALL.into_iter().filter(is_supported) {
            let pair = KeyPair::generate(algorithm).unwrap();
            let pem = std::str::from_utf8(pair.private_pem().expose()).unwrap();
            let private = Key::private_pem(algorithm, pem).unwrap();
            let public = Key::public_pem(algorithm, &pair.public().to_pem().unwrap()).unwrap();
            assert!(public.verify(b"message", &private.sign(b"message").unwrap()), "{algorithm}");
        }
    }

    /// Both backends can use all sizes up to the limit.
    #[test]
    fn rsa_keys_of_other_sizes_are_rejected_by_size() {
        let of_bits =
            |bits: usize| PublicKeyBytes::from_rsa_components(&vec![0xff; bits / 8], &[1, 0, 1]);
        for bits in [pem::RSA_MIN_BITS, pem::RSA_MAX_BITS] {
            let key = of_bits(bits).unwrap();
            assert_eq!(key.rsa_bits(), Some(bits));
            assert!(Verifier::new(Algorithm::RS256, &key).is_ok(), "{bits}");
        }
        for (bits, limit) in [
            (pem::RSA_MIN_BITS - 8, "at least 2048".to_owned()),
            (pem::RSA_MAX_BITS + 8, format!("at most {}", pem::RSA_MAX_BITS)),
        ] {
            let problem = of_bits(bits).unwrap_err().to_string();
            assert!(problem.contains(&format!("{bits} bits; ")), "{problem}");
            assert!(problem.contains(&limit), "{problem}");
        }
    }

    #[test]
    #[cfg(feature = "aws-lc-rs")]
    fn generated_rsa_keys_have_the_requested_size() {
        let pair = KeyPair::generate_rsa(Algorithm::RS256, RsaBits::B3072).unwrap();
        assert_eq!(pair.public().rsa_bits(), Some(3072));
    }

    #[test]
    fn hmac_algorithms_have_no_key_pair() {
        let rejected = KeyPair::generate(Algorithm::HS256).unwrap_err();
        assert!(rejected.to_string().contains("takes a secret"), "{rejected}");
        let rejected = KeyPair::generate_rsa(Algorithm::ES256, RsaBits::default()).unwrap_err();
        assert!(rejected.to_string().contains("does not take an RSA key"), "{rejected}");
    }
}
