//! Reads keys as files carry them: PEM (RFC 7468) and DER (PKCS#8, SPKI, PKCS#1).
//!
//! What is refused here is refused with a text that says what to do instead.

use pkcs1::{RsaPrivateKey, RsaPublicKey, UintRef};
use pkcs8::der::asn1::{AnyRef, BitStringRef};
use pkcs8::der::{Decode as _, Encode as _};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use pkcs8::{ObjectIdentifier, PrivateKeyInfo};
use zeroize::Zeroizing;

use super::algorithm::{Algorithm, Family};
use super::ed25519;
use super::key_kind::KeyKind;
use crate::error::{Error, Result};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// The least size of an RSA modulus (RFC 7518 §3.3).
const RSA_MIN_BITS: usize = 2048;

/// The largest: a check takes time with the square of it, and may be of anybody's token.
const RSA_MAX_BITS: usize = 8192;

/// The longest public exponent; nearly all are 65537.
const RSA_MAX_EXPONENT_BYTES: usize = 4;

/// A private key in the form that both backends read: PKCS#1 for RSA, PKCS#8 for the others.
pub(super) struct PrivateDocument(pub(super) Zeroizing<Vec<u8>>);

/// A public key in the form that both backends read: PKCS#1 for RSA, the uncompressed point for
/// EC, the 32 bytes for Ed25519.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PublicDocument(pub(super) Vec<u8>);

impl PrivateDocument {
    pub(super) fn from_pem(algorithm: Algorithm, text: &str) -> Result<Self> {
        let (label, der) = read_pem(text, PRIVATE)?;
        check_private_label(&label)?;
        Self::from_der(algorithm, &der)
    }

    pub(super) fn from_der(algorithm: Algorithm, der: &[u8]) -> Result<Self> {
        let Ok(info) = PrivateKeyInfo::from_der(der) else {
            if algorithm.family() == Family::Rsa {
                return Self::from_pkcs1(der);
            }
            return Err(refuse(PRIVATE, "is not a PKCS#8 private key"));
        };
        check_kind(algorithm, info.algorithm, PRIVATE)?;
        match algorithm.family() {
            Family::Rsa => Self::from_pkcs1(info.private_key),
            _ => Ok(Self(Zeroizing::new(der.to_vec()))),
        }
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self> {
        let key = RsaPrivateKey::from_der(der)
            .map_err(|_| refuse(PRIVATE, "is not a PKCS#8 or PKCS#1 RSA private key"))?;
        check_rsa(key.modulus, key.public_exponent, PRIVATE)?;
        Ok(Self(Zeroizing::new(der.to_vec())))
    }
}

impl PublicDocument {
    pub(super) fn from_pem(algorithm: Algorithm, text: &str) -> Result<Self> {
        let (label, der) = read_pem(text, PUBLIC)?;
        match label.as_str() {
            "PUBLIC KEY" | "RSA PUBLIC KEY" => Self::from_der(algorithm, &der),
            label => Err(wrong_label(PUBLIC, label, "a public key")),
        }
    }

    pub(super) fn from_der(algorithm: Algorithm, der: &[u8]) -> Result<Self> {
        let Ok(info) = SubjectPublicKeyInfoRef::try_from(der) else {
            if algorithm.family() == Family::Rsa {
                return Self::from_pkcs1(der);
            }
            return Err(refuse(PUBLIC, "is not a SubjectPublicKeyInfo (SPKI) public key"));
        };
        check_kind(algorithm, info.algorithm, PUBLIC)?;
        let bytes = info
            .subject_public_key
            .as_bytes()
            .ok_or_else(|| refuse(PUBLIC, "is not a whole number of bytes"))?;
        match algorithm.family() {
            Family::Rsa => Self::from_pkcs1(bytes),
            Family::Ec => Self::from_point(algorithm, bytes),
            Family::Ed => Self::from_ed25519(bytes),
            Family::Hmac => Err(refuse(PUBLIC, format!("{algorithm} takes a secret"))),
        }
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self> {
        let key = RsaPublicKey::from_der(der)
            .map_err(|_| refuse(PUBLIC, "is not an SPKI or PKCS#1 RSA public key"))?;
        check_rsa(key.modulus, key.public_exponent, PUBLIC)?;
        Ok(Self(der.to_vec()))
    }

    fn from_point(algorithm: Algorithm, point: &[u8]) -> Result<Self> {
        let bytes = if algorithm == Algorithm::ES384 { 97 } else { 65 };
        if point.len() != bytes || point.first() != Some(&4) {
            return Err(refuse(PUBLIC, "is not an uncompressed point of its curve"));
        }
        Ok(Self(point.to_vec()))
    }

    pub(super) fn from_ed25519(bytes: &[u8]) -> Result<Self> {
        let point = bytes.try_into().map_err(|_| refuse(PUBLIC, "is not 32 bytes long"))?;
        if !ed25519::is_fit_for_a_key(point) {
            return Err(refuse(
                PUBLIC,
                "is a point that is no key: of small order, or not reduced",
            ));
        }
        Ok(Self(bytes.to_vec()))
    }

    /// From a modulus and an exponent, both big-endian.
    pub(super) fn from_rsa_components(modulus: &[u8], exponent: &[u8]) -> Result<Self> {
        let unusable = |_| refuse(PUBLIC, "is not an RSA public key");
        let modulus = UintRef::new(modulus).map_err(unusable)?;
        let public_exponent = UintRef::new(exponent).map_err(unusable)?;
        check_rsa(modulus, public_exponent, PUBLIC)?;
        RsaPublicKey { modulus, public_exponent }.to_der().map(Self).map_err(unusable)
    }

    /// The modulus and the exponent of an RSA key, both big-endian.
    pub(super) fn rsa_components(&self) -> Option<(&[u8], &[u8])> {
        let key = RsaPublicKey::from_der(&self.0).ok()?;
        Some((key.modulus.as_bytes(), key.public_exponent.as_bytes()))
    }

    /// As a `SubjectPublicKeyInfo` in PEM.
    pub(super) fn to_pem(&self, kind: KeyKind) -> Result<String> {
        let (oid, parameters) = match kind {
            KeyKind::Rsa => (RSA, Some(AnyRef::NULL)),
            KeyKind::P256 => (EC, Some(AnyRef::from(&P256))),
            KeyKind::P384 => (EC, Some(AnyRef::from(&P384))),
            KeyKind::Ed25519 => (ED25519, None),
        };
        let written = BitStringRef::from_bytes(&self.0).and_then(|subject_public_key| {
            let algorithm = AlgorithmIdentifierRef { oid, parameters };
            SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der()
        });
        let der = written.map_err(|_| Error::internal("a public key cannot be written"))?;
        Ok(write_pem("PUBLIC KEY", der))
    }

    /// From the coordinates of a point.
    pub(super) fn from_coordinates(x: &[u8], y: &[u8]) -> Self {
        Self([&[4], x, y].concat())
    }
}

const PRIVATE: &str = "privateKey";
const PUBLIC: &str = "publicKey";

/// The label and the content of the first block.
fn read_pem(text: &str, field: &'static str) -> Result<(String, Zeroizing<Vec<u8>>)> {
    match pem::parse(text) {
        Ok(block) => Ok((block.tag().to_owned(), Zeroizing::new(block.into_contents()))),
        Err(_) if text.contains("\\n") => {
            Err(refuse(field, "has the two characters \\n where a PEM file has line breaks"))
        }
        Err(_) => Err(refuse(field, "is not a PEM file")),
    }
}

/// A PEM file as openssl writes it.
pub(super) fn write_pem(label: &str, der: Vec<u8>) -> String {
    let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new(label, der), lines)
}

fn refuse(field: &'static str, problem: impl Into<String>) -> Error {
    Error::config(field, problem)
}

fn check_private_label(label: &str) -> Result<()> {
    match label {
        "PRIVATE KEY" | "RSA PRIVATE KEY" => Ok(()),
        "EC PRIVATE KEY" | "EC PARAMETERS" => Err(refuse(
            PRIVATE,
            "is in the SEC 1 format; convert it with `openssl pkcs8 -topk8 -nocrypt`",
        )),
        "ENCRYPTED PRIVATE KEY" => {
            Err(refuse(PRIVATE, "is encrypted; decrypt it with `openssl pkcs8 -in FILE -out FILE`"))
        }
        label => Err(wrong_label(PRIVATE, label, "a private key")),
    }
}

fn wrong_label(field: &'static str, label: &str, wanted: &str) -> Error {
    let found = match label {
        "CERTIFICATE" => {
            "a certificate; extract its key with `openssl x509 -pubkey -noout -in FILE`"
        }
        "PRIVATE KEY" | "RSA PRIVATE KEY" | "EC PRIVATE KEY" | "ENCRYPTED PRIVATE KEY" => {
            "a private key"
        }
        "PUBLIC KEY" | "RSA PUBLIC KEY" => "a public key",
        _ => "a PEM file of another kind",
    };
    refuse(field, format!("expected {wanted}, found {found}"))
}

fn check_kind(
    algorithm: Algorithm,
    found: AlgorithmIdentifierRef<'_>,
    field: &'static str,
) -> Result<()> {
    let Some(wanted) = KeyKind::of(algorithm) else {
        return Err(refuse(field, format!("{algorithm} takes a secret, not a key pair")));
    };
    let found = match kind_of(found) {
        Ok(kind) if kind == wanted => return Ok(()),
        Ok(KeyKind::Rsa) => "an RSA key",
        Ok(KeyKind::P256) => "a P-256 key",
        Ok(KeyKind::P384) => "a P-384 key",
        Ok(KeyKind::Ed25519) => "an Ed25519 key",
        Err(other) => other,
    };
    Err(refuse(field, format!("{found} does not fit {algorithm}")))
}

/// The kind of key that a document announces, or what else it announces.
fn kind_of(found: AlgorithmIdentifierRef<'_>) -> Result<KeyKind, &'static str> {
    match (found.oid, found.parameters_oid().ok()) {
        (RSA, _) => Ok(KeyKind::Rsa),
        (EC, Some(P256)) => Ok(KeyKind::P256),
        (EC, Some(P384)) => Ok(KeyKind::P384),
        (ED25519, _) => Ok(KeyKind::Ed25519),
        (RSA_PSS, _) => Err("a key restricted to RSASSA-PSS (use a plain RSA key)"),
        (EC, _) => Err("a key on another curve"),
        _ => Err("a key of another kind"),
    }
}

/// What a PEM file holds, by its label and its algorithm.
pub(super) struct FileKind {
    pub(super) kind: KeyKind,
    pub(super) private: bool,
}

impl FileKind {
    pub(super) fn of_pem(text: &str) -> Result<Self> {
        let (label, der) = read_pem(text, PRIVATE)?;
        let private = !matches!(label.as_str(), "PUBLIC KEY" | "RSA PUBLIC KEY");
        if private {
            check_private_label(&label)?;
        }
        let announced = match label.as_str() {
            "PRIVATE KEY" => PrivateKeyInfo::from_der(&der)
                .map_err(|_| "not a PKCS#8 private key")
                .and_then(|info| kind_of(info.algorithm)),
            "PUBLIC KEY" => SubjectPublicKeyInfoRef::try_from(der.as_slice())
                .map_err(|_| "not a SubjectPublicKeyInfo (SPKI) public key")
                .and_then(|info| kind_of(info.algorithm)),
            _ => Ok(KeyKind::Rsa),
        };
        let field = if private { PRIVATE } else { PUBLIC };
        let unusable = |what| refuse(field, format!("is {what}, which cannot be used here"));
        Ok(Self { kind: announced.map_err(unusable)?, private })
    }
}

fn check_rsa(modulus: UintRef<'_>, exponent: UintRef<'_>, field: &'static str) -> Result<()> {
    let bytes = modulus.as_bytes();
    let leading = bytes.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let bits = bytes.len() * 8 - leading;
    if bits < RSA_MIN_BITS {
        return Err(refuse(field, format!("RSA with {bits} bits; at least {RSA_MIN_BITS} needed")));
    }
    if bits > RSA_MAX_BITS {
        return Err(refuse(field, format!("RSA with {bits} bits; at most {RSA_MAX_BITS} allowed")));
    }
    if bytes.last().is_none_or(|last| last % 2 == 0) {
        return Err(refuse(field, "RSA with an even modulus"));
    }
    // RFC 8017 §3.1: odd and at least 3. With 1 everything would be its own signature.
    let exponent = exponent.as_bytes();
    let is_odd = exponent.last().is_some_and(|last| last % 2 == 1);
    if !is_odd || exponent == [1] || exponent.len() > RSA_MAX_EXPONENT_BYTES {
        return Err(refuse(field, "RSA with an unusable public exponent"));
    }
    Ok(())
}
