//! Keys in files: PEM (RFC 7468) and DER (PKCS#8, SPKI, PKCS#1), checked and converted to the one
//! encoding per algorithm that every backend accepts.
//!
//! Error texts say how to convert a file that is not accepted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use curve25519_dalek::edwards::CompressedEdwardsY;
use pkcs1::{RsaPrivateKey, RsaPublicKey, UintRef};
use pkcs8::der::asn1::{AnyRef, BitStringRef};
use pkcs8::der::{Decode as _, Encode as _, EncodePem as _};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use pkcs8::{LineEnding, ObjectIdentifier, PrivateKeyInfo, SecretDocument};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::algorithm::{Algorithm, KeyKind};
use crate::error::{Error, Result};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// The smallest RSA modulus (RFC 7518 §3.3).
pub(super) const RSA_MIN_BITS: usize = 2048;

/// The largest RSA modulus: that of AWS-LC's verification algorithms.
pub(super) const RSA_MAX_BITS: usize = 8192;

/// The longest RSA public exponent; nearly all are 65537.
const RSA_MAX_EXPONENT_BYTES: usize = 4;

/// The configuration fields that errors name.
pub(super) const PRIVATE: &str = "privateKey";
pub(super) const PUBLIC: &str = "publicKey";

/// A private key: PKCS#1 for RSA, PKCS#8 for the others.
pub(super) struct PrivateKeyDer(Zeroizing<Vec<u8>>);

impl PrivateKeyDer {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn from_pem(algorithm: Algorithm, text: &str) -> Result<Self> {
        let (label, der) = read_pem(text, PRIVATE)?;
        check_private_label(&label)?;
        Self::from_der(algorithm, &der)
    }

    pub(super) fn from_der(algorithm: Algorithm, der: &[u8]) -> Result<Self> {
        let is_rsa = KeyKind::of(algorithm) == Some(KeyKind::Rsa);
        let Ok(info) = PrivateKeyInfo::from_der(der) else {
            return if is_rsa {
                Self::from_pkcs1(der)
            } else {
                Err(refuse(PRIVATE, "is not a PKCS#8 private key"))
            };
        };
        check_kind(algorithm, info.algorithm, PRIVATE)?;
        if is_rsa {
            Self::from_pkcs1(info.private_key)
        } else {
            Ok(Self(Zeroizing::new(der.to_vec())))
        }
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self> {
        let key = RsaPrivateKey::from_der(der)
            .map_err(|_| refuse(PRIVATE, "is not a PKCS#8 or PKCS#1 RSA private key"))?;
        check_rsa(key.modulus, key.public_exponent, PRIVATE)?;
        Ok(Self(Zeroizing::new(der.to_vec())))
    }
}

/// A public key: PKCS#1 for RSA, the uncompressed point for EC, the 32 bytes for Ed25519.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PublicKeyBytes(Vec<u8>);

impl PublicKeyBytes {
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn from_pem(algorithm: Algorithm, text: &str) -> Result<Self> {
        let (label, der) = read_pem(text, PUBLIC)?;
        match label.as_str() {
            "PUBLIC KEY" | "RSA PUBLIC KEY" => Self::from_der(algorithm, &der),
            label => Err(wrong_label(PUBLIC, label, "a public key")),
        }
    }

    pub(super) fn from_der(algorithm: Algorithm, der: &[u8]) -> Result<Self> {
        let kind = KeyKind::of(algorithm);
        let Ok(info) = SubjectPublicKeyInfoRef::try_from(der) else {
            return if kind == Some(KeyKind::Rsa) {
                Self::from_pkcs1(der)
            } else {
                Err(refuse(PUBLIC, "is not a SubjectPublicKeyInfo (SPKI) public key"))
            };
        };
        check_kind(algorithm, info.algorithm, PUBLIC)?;
        let bytes = info
            .subject_public_key
            .as_bytes()
            .ok_or_else(|| refuse(PUBLIC, "is not a whole number of bytes"))?;
        match kind {
            Some(KeyKind::Rsa) => Self::from_pkcs1(bytes),
            Some(KeyKind::P256) => Self::from_point(bytes, 65),
            Some(KeyKind::P384) => Self::from_point(bytes, 97),
            Some(KeyKind::Ed25519) => Self::from_ed25519(bytes),
            None => Err(takes_secret(PUBLIC, algorithm)),
        }
    }

    fn from_pkcs1(der: &[u8]) -> Result<Self> {
        let key = RsaPublicKey::from_der(der)
            .map_err(|_| refuse(PUBLIC, "is not an SPKI or PKCS#1 RSA public key"))?;
        check_rsa(key.modulus, key.public_exponent, PUBLIC)?;
        Ok(Self(der.to_vec()))
    }

    /// Checks the form alone; the backend checks that the point is on its curve.
    fn from_point(point: &[u8], length: usize) -> Result<Self> {
        if point.len() != length || point.first() != Some(&4) {
            return Err(refuse(PUBLIC, "is not an uncompressed point of its curve"));
        }
        Ok(Self(point.to_vec()))
    }

    pub(super) fn from_coordinates(x: &[u8], y: &[u8]) -> Self {
        Self([&[4], x, y].concat())
    }

    pub(super) fn from_ed25519(bytes: &[u8]) -> Result<Self> {
        let point = bytes.try_into().map_err(|_| refuse(PUBLIC, "is not 32 bytes long"))?;
        if !is_usable_ed25519(point) {
            return Err(refuse(
                PUBLIC,
                "is not a usable Ed25519 key: off the curve, not canonical, or of small order",
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

    /// The size of the modulus of an RSA key, in bits.
    pub(super) fn rsa_bits(&self) -> Option<usize> {
        self.rsa_components().map(|(modulus, _)| bit_length(modulus))
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
        BitStringRef::from_bytes(&self.0)
            .and_then(|subject_public_key| {
                let algorithm = AlgorithmIdentifierRef { oid, parameters };
                SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_pem(LineEnding::LF)
            })
            .map_err(|_| Error::internal("a public key cannot be encoded"))
    }
}

/// What a PEM file holds, by its label and its algorithm identifier.
pub(super) struct PemContent {
    pub(super) kind: KeyKind,
    pub(super) is_private: bool,
}

impl PemContent {
    pub(super) fn of(text: &str) -> Result<Self> {
        let (label, der) = read_pem(text, PRIVATE)?;
        let is_private = !matches!(label.as_str(), "PUBLIC KEY" | "RSA PUBLIC KEY");
        if is_private {
            check_private_label(&label)?;
        }
        let kind = match label.as_str() {
            "PRIVATE KEY" => PrivateKeyInfo::from_der(&der)
                .map_err(|_| "not a PKCS#8 private key")
                .and_then(|info| kind_of(info.algorithm)),
            "PUBLIC KEY" => SubjectPublicKeyInfoRef::try_from(der.as_slice())
                .map_err(|_| "not a SubjectPublicKeyInfo (SPKI) public key")
                .and_then(|info| kind_of(info.algorithm)),
            _ => Ok(KeyKind::Rsa),
        };
        let field = if is_private { PRIVATE } else { PUBLIC };
        let unusable = |what| refuse(field, format!("is {what}, which cannot be used here"));
        Ok(Self { kind: kind.map_err(unusable)?, is_private })
    }
}

/// The format of `secret` if it is a key file (PEM, DER, SSH or JWK) and not an HMAC secret.
///
/// A public key that is used as an HMAC secret lets everybody who knows it sign tokens
/// (RFC 8725 §2.1).
pub(super) fn key_format_of(secret: &[u8]) -> Option<&'static str> {
    if secret.windows(11).any(|window| window == b"-----BEGIN ") {
        return Some("a PEM file");
    }
    if secret.starts_with(b"ssh-") || secret.starts_with(b"ecdsa-sha2-") {
        return Some("an SSH key");
    }
    if is_der_key(secret) {
        return Some("a DER-encoded key");
    }
    if is_base64_of_der_key(secret) {
        return Some("a PEM file without its BEGIN and END lines");
    }
    let object = serde_json::from_slice::<Map<String, Value>>(secret);
    let is_jwk = object.is_ok_and(|jwk| jwk.contains_key("kty") || jwk.contains_key("keys"));
    is_jwk.then_some("a JWK")
}

fn is_der_key(bytes: &[u8]) -> bool {
    SubjectPublicKeyInfoRef::try_from(bytes).is_ok()
        || PrivateKeyInfo::from_der(bytes).is_ok()
        || RsaPublicKey::from_der(bytes).is_ok()
        || RsaPrivateKey::from_der(bytes).is_ok()
}

/// Whether `text` is base64 or base64url of a key, with or without padding and line breaks.
fn is_base64_of_der_key(text: &[u8]) -> bool {
    // DER begins with a SEQUENCE (0x30).
    if text.trim_ascii_start().first() != Some(&b'M') {
        return false;
    }
    let standard = |byte: u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    };
    let plain = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=');
    let plain = Zeroizing::new(plain.map(standard).collect::<Vec<u8>>());
    let decoded = STANDARD_NO_PAD.decode(plain.as_slice()).map(Zeroizing::new);
    decoded.is_ok_and(|der| is_der_key(&der))
}

/// A private key in PKCS#8 as PEM, as openssl writes it.
pub(super) fn private_pem(pkcs8: &SecretDocument) -> Result<Zeroizing<String>> {
    pkcs8
        .to_pem("PRIVATE KEY", LineEnding::LF)
        .map_err(|_| Error::internal("a private key cannot be encoded"))
}

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

fn wrong_label(field: &'static str, label: &str, expected: &str) -> Error {
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
    refuse(field, format!("expected {expected}, found {found}"))
}

fn check_kind(
    algorithm: Algorithm,
    identifier: AlgorithmIdentifierRef<'_>,
    field: &'static str,
) -> Result<()> {
    let expected = KeyKind::of(algorithm).ok_or_else(|| takes_secret(field, algorithm))?;
    let found = match kind_of(identifier) {
        Ok(kind) if kind == expected => return Ok(()),
        Ok(KeyKind::Rsa) => "an RSA key",
        Ok(KeyKind::P256) => "a P-256 key",
        Ok(KeyKind::P384) => "a P-384 key",
        Ok(KeyKind::Ed25519) => "an Ed25519 key",
        Err(other) => other,
    };
    Err(refuse(field, format!("{found} does not fit {algorithm}")))
}

/// The kind of key that an algorithm identifier names, or a text for an unsupported one.
fn kind_of(identifier: AlgorithmIdentifierRef<'_>) -> Result<KeyKind, &'static str> {
    match (identifier.oid, identifier.parameters_oid().ok()) {
        (RSA, _) => Ok(KeyKind::Rsa),
        (EC, Some(P256)) => Ok(KeyKind::P256),
        (EC, Some(P384)) => Ok(KeyKind::P384),
        (ED25519, _) => Ok(KeyKind::Ed25519),
        (RSA_PSS, _) => Err("a key restricted to RSASSA-PSS (use a plain RSA key)"),
        (EC, _) => Err("a key on another curve"),
        _ => Err("a key of another kind"),
    }
}

fn check_rsa(modulus: UintRef<'_>, exponent: UintRef<'_>, field: &'static str) -> Result<()> {
    let bytes = modulus.as_bytes();
    let bits = bit_length(bytes);
    if bits < RSA_MIN_BITS {
        return Err(refuse(field, format!("RSA with {bits} bits; at least {RSA_MIN_BITS} needed")));
    }
    if bits > RSA_MAX_BITS {
        return Err(refuse(
            field,
            format!("RSA with {bits} bits; at most {RSA_MAX_BITS} accepted"),
        ));
    }
    if bytes.last().is_none_or(|last| last % 2 == 0) {
        return Err(refuse(field, "RSA with an even modulus"));
    }
    // RFC 8017 §3.1: odd and at least 3. With 1 every message would be its own signature.
    let exponent = exponent.as_bytes();
    let is_odd = exponent.last().is_some_and(|last| last % 2 == 1);
    if !is_odd || exponent == [1] || exponent.len() > RSA_MAX_EXPONENT_BYTES {
        return Err(refuse(field, "RSA with an unusable public exponent"));
    }
    Ok(())
}

/// The length of a big-endian number in bits.
fn bit_length(bytes: &[u8]) -> usize {
    let leading = bytes.first().map_or(0, |byte| byte.leading_zeros() as usize);
    bytes.len() * 8 - leading
}

/// Whether 32 bytes are the canonical encoding of a point on the curve (RFC 8032 §5.1.3) that is
/// not of small order.
///
/// Under a key of small order one signature fits many messages, and libraries differ in which they
/// accept. They also differ in when they reject what is not a point; here that is at construction.
fn is_usable_ed25519(bytes: &[u8; 32]) -> bool {
    let encoded = CompressedEdwardsY(*bytes);
    encoded.decompress().is_some_and(|point| point.compress() == encoded && !point.is_small_order())
}

/// The error of a key pair for an HMAC algorithm.
pub(super) fn takes_secret(field: &'static str, algorithm: Algorithm) -> Error {
    refuse(field, format!("{algorithm} takes a secret, not a key pair"))
}

fn refuse(field: &'static str, problem: impl Into<String>) -> Error {
    Error::config(field, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The `y` coordinates of the points of order 1, 2, 4 and 8, little-endian.
    const SMALL_ORDER: [[u8; 32]; 5] = [
        y(1, 0, 0),
        y(0xec, 0xff, 0x7f),
        y(0, 0, 0),
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ];

    const fn y(first: u8, middle: u8, last: u8) -> [u8; 32] {
        let mut bytes = [middle; 32];
        bytes[0] = first;
        bytes[31] = last;
        bytes
    }

    #[test]
    fn non_canonical_ed25519_keys_are_rejected() {
        for first in 0xed..=0xff {
            assert!(!is_usable_ed25519(&y(first, 0xff, 0x7f)), "{first}");
            assert!(!is_usable_ed25519(&y(first, 0xff, 0xff)), "{first}");
        }
    }

    /// Computed with the integers of Python.
    #[test]
    fn ed25519_keys_off_the_curve_are_rejected() {
        let usable = (2..12).filter(|first| is_usable_ed25519(&y(*first, 0, 0)));
        assert_eq!(usable.collect::<Vec<_>>(), [3, 4, 5, 6, 9, 10]);
    }

    #[test]
    fn ed25519_keys_of_small_order_are_rejected_with_either_sign() {
        for mut point in SMALL_ORDER {
            assert!(!is_usable_ed25519(&point));
            point[31] |= 0x80;
            assert!(!is_usable_ed25519(&point));
        }
    }
}
