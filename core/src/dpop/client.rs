//! The client's side: makes proofs, and signs them with a key in memory or in a device.

use std::fmt;

use pkcs8::der::asn1::UintRef;
use pkcs8::der::{Decode as _, Reader as _, SliceReader};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{TYP_PROOF, access_token_hash};
use crate::error::{Cause, Error, Result};
use crate::keys::{Algorithm, Key, KeyPair, PublicKey, Thumbprint};
use crate::token::{base64url, jws};
use crate::types::{SecretBytes, Timestamp};

/// An error of a [`ProofKey`] that a session treats in a way of its own. Any other error is temporary:
/// the session keeps its tokens and tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofKeyError {
    /// The key can never be used again, for example because the device deleted it when its lock or
    /// its fingerprints changed. The user is signed out
    /// ([`SignOutReason::KeyLost`](crate::client::SignOutReason::KeyLost)); the next sign-in needs a
    /// new key, and a new session with it.
    #[error("the proof key is lost for good")]
    Lost,
}

/// The client's private key (a proof-of-possession key, RFC 7800): in memory ([`SoftwareKey`]) or in a
/// device ([`DeviceKey`]).
pub trait ProofKey: Send + Sync + fmt::Debug {
    /// The algorithm: an asymmetric one, most often [`Algorithm::ES256`].
    fn algorithm(&self) -> Algorithm;

    /// The public key as a JWK (RFC 7517 §4), with the required members only.
    fn public_jwk(&self) -> Map<String, Value>;

    /// Signs `message`, in the format of RFC 7518 §3 (`r ‖ s` for ECDSA).
    ///
    /// # Errors
    /// When the key cannot be used now, as while a device is locked, or [`ProofKeyError::Lost`].
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Cause>;
}

/// A proof to be signed: the request that it is for, and what the server asks of it.
#[derive(Clone, Copy, Debug)]
pub struct UnsignedProof<'a> {
    /// The method of the request, in capitals.
    pub method: &'a str,
    /// The URL of the request. Query, fragment and user are left out of the proof; `wss` becomes
    /// `https`.
    pub url: &'a str,
    /// The current time by the *server's* clock, as far as it is known.
    pub now: Timestamp,
    /// The latest nonce from the server (`DPoP-Nonce`).
    pub nonce: Option<&'a str>,
    /// The access token that is sent with the request; `None` with a refresh.
    pub access_token: Option<&'a str>,
}

#[derive(Serialize)]
struct ProofHeader {
    typ: &'static str,
    alg: &'static str,
    jwk: Map<String, Value>,
}

#[derive(Serialize)]
struct ProofPayload<'a> {
    jti: String,
    htm: &'a str,
    htu: &'a str,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

impl UnsignedProof<'_> {
    /// Makes the value of the header `DPoP`, for one request.
    ///
    /// # Errors
    /// [`Error::Internal`] when the key cannot sign, or the operating system has no randomness.
    pub fn sign(&self, key: &dyn ProofKey) -> Result<String> {
        self.sign_with(key)
            .map_err(|cause| Error::internal(format!("a DPoP proof was not signed: {cause}")))
    }

    /// As [`sign`](Self::sign), with the error of the key.
    pub(crate) fn sign_with(&self, key: &dyn ProofKey) -> Result<String, Cause> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| Error::internal("no randomness"))?;
        let header =
            ProofHeader { typ: TYP_PROOF, alg: key.algorithm().as_str(), jwk: key.public_jwk() };
        let payload = ProofPayload {
            jti: base64url::encode(&id),
            htm: self.method,
            htu: &htu(self.url),
            iat: self.now.as_seconds(),
            ath: self.access_token.map(access_token_hash),
            nonce: self.nonce,
        };
        let header = base64url::encode(&serde_json::to_vec(&header)?);
        let payload = serde_json::to_string(&payload)?;
        jws::encode(&header, &payload, |message| key.sign(message))
    }
}

/// The claim `htu` (RFC 9449 §4.2): the URL without query, fragment and user. A WebSocket begins as
/// an HTTP request (RFC 6455 §4.1), so its scheme becomes that of HTTP.
fn htu(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "ws" => "http".to_owned(),
        "wss" => "https".to_owned(),
        _ => scheme.to_owned(),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// An ES256 key in memory. It is as safe as the place where its PEM is stored: where
/// a device has a key store, use a [`DeviceKey`].
///
/// `Debug` shows the thumbprint.
pub struct SoftwareKey {
    key: Key,
    pem: SecretBytes,
}

impl SoftwareKey {
    const ALGORITHM: Algorithm = Algorithm::ES256;

    /// A new key.
    ///
    /// # Errors
    /// [`Error::Internal`] when the operating system has no randomness.
    pub fn generate() -> Result<Self> {
        let pair = KeyPair::generate(Self::ALGORITHM)?;
        Self::from_pem(pair.private_pem())
    }

    /// A stored key: PKCS#8 in PEM, on P-256.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `privateKey` when `pem` is anything else.
    pub fn from_pem(pem: &SecretBytes) -> Result<Self> {
        let text = std::str::from_utf8(pem.expose())
            .map_err(|_| Error::config("privateKey", "is not a PEM file"))?;
        Ok(Self { key: Key::private_pem(Self::ALGORITHM, text)?, pem: pem.clone() })
    }

    /// The private key in PEM, to be stored as a secret.
    pub const fn pem(&self) -> &SecretBytes {
        &self.pem
    }

    /// The public key in DER (SPKI, RFC 5280 §4.1).
    ///
    /// # Errors
    /// [`Error::Internal`], never in practice.
    pub fn public_der(&self) -> Result<Vec<u8>> {
        let pem = self.public().map(PublicKey::to_pem).transpose()?.unwrap_or_default();
        let file = pem::parse(pem).map_err(|_| Error::internal("a public key is no PEM file"))?;
        Ok(file.into_contents())
    }

    /// The thumbprint that is written into tokens bound to this key.
    ///
    /// # Errors
    /// [`Error::Internal`], never in practice.
    pub fn thumbprint(&self) -> Result<Thumbprint> {
        self.public()
            .map_or_else(|| Err(Error::internal("a key without a public part")), Thumbprint::of)
    }

    fn public(&self) -> Option<&PublicKey> {
        self.key.public()
    }
}

impl ProofKey for SoftwareKey {
    fn algorithm(&self) -> Algorithm {
        Self::ALGORITHM
    }

    fn public_jwk(&self) -> Map<String, Value> {
        self.public().map(PublicKey::jwk).unwrap_or_default()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Cause> {
        Ok(self.key.sign(message)?)
    }
}

impl fmt::Debug for SoftwareKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftwareKey")
            .field("thumbprint", &self.thumbprint().ok())
            .finish_non_exhaustive()
    }
}

/// The DER in front of the point of a public key on P-256 (RFC 5480 §2).
const SPKI_P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The length of an uncompressed point on P-256 (SEC 1 §2.3.3).
const POINT: usize = 65;
/// The length of `r` and of `s` on P-256 (RFC 7518 §3.4).
const HALF: usize = 32;

/// A key that stays in the key store of a device: ES256, the one algorithm that all key stores have. Takes keys and signatures in the formats that the platforms use.
///
/// `Debug` shows the thumbprint.
pub struct DeviceKey<S> {
    jwk: Map<String, Value>,
    thumbprint: Thumbprint,
    sign: S,
}

impl<S> DeviceKey<S>
where
    S: Fn(&[u8]) -> Result<Vec<u8>, Cause> + Send + Sync,
{
    /// The key with this public part, which signs with `sign`.
    ///
    /// `public` is the key in DER (SPKI), as `getEncoded` returns it on Android, or its uncompressed
    /// point, as `SecKeyCopyExternalRepresentation` returns it on Apple's systems. `sign` makes an
    /// ECDSA signature with SHA-256 over its argument and returns it in DER or as `r ‖ s`.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `proofKey` when `public` is not a public key on P-256.
    pub fn new(public: &[u8], sign: S) -> Result<Self> {
        let unusable = |_| Error::config("proofKey", "is not a public key on P-256");
        let is_point = public.len() == POINT;
        let der = if is_point { [&SPKI_P256[..], public].concat() } else { public.to_vec() };
        let key = Key::public_der(Algorithm::ES256, &der).map_err(unusable)?;
        let public = key.public().ok_or_else(|| Error::internal("a key without a public part"))?;
        Ok(Self { jwk: public.jwk(), thumbprint: Thumbprint::of(public)?, sign })
    }

    /// The thumbprint that is written into tokens bound to this key.
    pub const fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }
}

impl<S> ProofKey for DeviceKey<S>
where
    S: Fn(&[u8]) -> Result<Vec<u8>, Cause> + Send + Sync,
{
    fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }

    fn public_jwk(&self) -> Map<String, Value> {
        self.jwk.clone()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Cause> {
        let signature = (self.sign)(message)?;
        // No key makes a signature whose DER is as short as this.
        if signature.len() == 2 * HALF {
            return Ok(signature);
        }
        raw_signature(&signature)
            .ok_or_else(|| "the device did not return a signature on P-256".into())
    }
}

impl<S> fmt::Debug for DeviceKey<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceKey").field("thumbprint", &self.thumbprint).finish_non_exhaustive()
    }
}

/// `r ‖ s` of a signature in DER (RFC 3279 §2.2.3).
fn raw_signature(der: &[u8]) -> Option<Vec<u8>> {
    let mut reader = SliceReader::new(der).ok()?;
    let (r, s) =
        reader.sequence(|halves| Ok((UintRef::decode(halves)?, UintRef::decode(halves)?))).ok()?;
    reader.finish(()).ok()?;
    let mut raw = vec![0; 2 * HALF];
    for (half, number) in raw.chunks_exact_mut(HALF).zip([r, s]) {
        let bytes = number.as_bytes();
        half.get_mut(HALF.checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
    }
    Some(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b"a message";

    #[test]
    fn htu_has_no_query_fragment_or_user_and_an_http_scheme() {
        for (url, expected) in [
            ("https://api.example/me?x=y#z", "https://api.example/me"),
            ("https://user:pa@ss@api.example:8443/me@home", "https://api.example:8443/me@home"),
            ("wss://api.example", "https://api.example"),
            ("WS://api.example/live", "http://api.example/live"),
            ("/me", "/me"),
            ("", ""),
        ] {
            assert_eq!(htu(url), expected);
        }
    }

    fn locked(_: &[u8]) -> Result<Vec<u8>, Cause> {
        Err("the device is locked".into())
    }

    /// DER as devices write it: each number as short as possible.
    fn der_of(raw: &[u8]) -> Vec<u8> {
        let number = |half: &[u8]| {
            let digits: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
            let sign = digits.first().is_none_or(|first| *first >= 0x80).then_some(0);
            let digits: Vec<u8> = sign.into_iter().chain(digits).collect();
            [&[2, u8::try_from(digits.len()).unwrap()], &digits[..]].concat()
        };
        let content = [number(&raw[..HALF]), number(&raw[HALF..])].concat();
        [&[0x30, u8::try_from(content.len()).unwrap()], &content[..]].concat()
    }

    #[test]
    fn a_device_key_is_accepted_as_spki_or_point_only() {
        let software = SoftwareKey::generate().unwrap();
        let der = software.public_der().unwrap();
        let point = &der[SPKI_P256.len()..];
        for form in [&der[..], point] {
            let key = DeviceKey::new(form, locked).unwrap();
            assert_eq!(key.thumbprint(), software.thumbprint().unwrap());
            assert_eq!(key.public_jwk(), software.public_jwk());
        }
        let off_the_curve = [&[4][..], &[1; POINT - 1]].concat();
        for bad in [&[][..], &der[1..], &point[1..], &off_the_curve] {
            let Err(Error::ConfigInvalid { field, .. }) = DeviceKey::new(bad, locked) else {
                panic!()
            };
            assert_eq!(field, "proofKey");
        }
    }

    #[test]
    fn a_device_signature_is_accepted_in_der_and_raw() {
        let software = SoftwareKey::generate().unwrap();
        let der = software.public_der().unwrap();
        let verifier = Key::public_der(Algorithm::ES256, &der).unwrap();
        let in_der = DeviceKey::new(&der, |message| Ok(der_of(&software.sign(message)?)));
        let in_der = in_der.unwrap();
        let raw = DeviceKey::new(&der, |message| software.sign(message)).unwrap();
        // Often enough to include numbers with a leading zero.
        for _ in 0..600 {
            assert!(verifier.verify(MESSAGE, &in_der.sign(MESSAGE).unwrap()));
        }
        assert!(verifier.verify(MESSAGE, &raw.sign(MESSAGE).unwrap()));
    }

    #[test]
    fn malformed_device_signatures_are_refused() {
        let der = SoftwareKey::generate().unwrap().public_der().unwrap();
        let long = [vec![0x30, 0x28, 2, 33, 1], vec![1; 32], vec![2, 1, 1]].concat();
        for bad in
            [&[][..], &[0x30, 0], &[0x30, 3, 2, 1, 1], &[0x30, 6, 2, 1, 1, 2, 1, 1, 0], &long]
        {
            let key = DeviceKey::new(&der, |_| Ok(bad.to_vec())).unwrap();
            assert!(key.sign(MESSAGE).is_err(), "{bad:?}");
        }
        assert!(DeviceKey::new(&der, locked).unwrap().sign(MESSAGE).is_err());
    }
}
