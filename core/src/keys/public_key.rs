//! A public key as people and other programs see it: its kind, its fingerprint, PEM and JWK.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::backend::{Signer, Verifier};
use super::document::{FileKind, PrivateDocument, PublicDocument};
use super::key_kind::KeyKind;
use crate::error::Result;
use crate::token::base64url;

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
    document: PublicDocument,
}

impl PublicKey {
    /// The public part of the key in a PEM file, be it private (PKCS#8, PKCS#1) or public (SPKI,
    /// PKCS#1).
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`](crate::Error::ConfigInvalid) for `privateKey` or `publicKey`, as [`Key`](super::Key) has them.
    pub fn from_pem(pem: &str) -> Result<Self> {
        let FileKind { kind, private } = FileKind::of_pem(pem)?;
        let algorithm = kind.representative();
        let document = if private {
            Signer::new(algorithm, &PrivateDocument::from_pem(algorithm, pem)?)?.1
        } else {
            PublicDocument::from_pem(algorithm, pem)?
        };
        // Whether it is a point of its curve, for example, only the backend knows.
        Verifier::new(algorithm, &document)?;
        Ok(Self { kind, document })
    }

    /// Of a document that a [`Verifier`] was made of.
    pub(super) const fn unchecked(kind: KeyKind, document: PublicDocument) -> Self {
        Self { kind, document }
    }

    /// Whether a PEM file holds a private key, by its label alone.
    pub fn is_private_pem(pem: &str) -> bool {
        FileKind::of_pem(pem).is_ok_and(|file| file.private)
    }

    /// Its kind.
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The size of an RSA modulus in bits; `None` for other kinds, which have but one size.
    pub fn rsa_bits(&self) -> Option<usize> {
        let (modulus, _) = self.document.rsa_components()?;
        let leading = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        Some(modulus.len() * 8 - leading)
    }

    /// As PEM: `PUBLIC KEY`, which holds a `SubjectPublicKeyInfo` (RFC 5280 §4.1).
    ///
    /// # Errors
    /// [`Error::Internal`](crate::Error::Internal) never in practice: what was read can be written.
    pub fn to_pem(&self) -> Result<String> {
        self.document.to_pem(self.kind)
    }

    /// The required members of its JWK (RFC 7518 §6, RFC 8037 §2), in the order of their names.
    fn members(&self) -> Vec<(&'static str, String)> {
        let bytes = self.document.0.as_slice();
        match self.kind {
            KeyKind::Rsa => {
                let (modulus, exponent) = self.document.rsa_components().unwrap_or_default();
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

    /// Its JWK thumbprint with SHA-256 (RFC 7638), 43 characters of base64url: a good `kid`.
    pub fn thumbprint(&self) -> String {
        // base64url needs no escapes, so this is the JSON of RFC 7638 §3.1 to the byte.
        let members = self.members();
        let members: Vec<_> =
            members.iter().map(|(name, value)| format!(r#""{name}":"{value}""#)).collect();
        base64url::encode(&Sha256::digest(format!("{{{}}}", members.join(","))))
    }

    /// Its JWK (RFC 7517 §4): the required members alone.
    pub fn jwk(&self) -> Map<String, Value> {
        let members = self.members().into_iter();
        members.map(|(name, value)| (name.to_owned(), Value::String(value))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7638 §3.1 and RFC 8037 §A.3.
    #[test]
    fn the_thumbprints_of_the_standards() {
        let modulus = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let rsa = PublicDocument::from_rsa_components(
            &base64url::decode(modulus).unwrap(),
            &base64url::decode("AQAB").unwrap(),
        );
        let rsa = PublicKey { kind: KeyKind::Rsa, document: rsa.unwrap() };
        assert_eq!(rsa.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert_eq!((rsa.rsa_bits(), &rsa.jwk()["n"]), (Some(2048), &modulus.into()));

        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let document = PublicDocument(base64url::decode(x).unwrap());
        let ed = PublicKey { kind: KeyKind::Ed25519, document };
        assert_eq!(ed.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(ed.rsa_bits(), None);
    }

    #[test]
    fn what_is_written_is_the_file_that_openssl_wrote() {
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
    fn what_is_no_key_is_refused_with_advice() {
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
}
