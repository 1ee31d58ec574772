//! A proof key that a device keeps to itself.

use std::fmt;

use pkcs8::der::asn1::UintRef;
use pkcs8::der::{Decode as _, Reader as _, SliceReader};
use serde_json::{Map, Value};

use super::ProofKey;
use crate::error::{Cause, Error, Result};
use crate::keys::{Algorithm, Key, Thumbprint};

/// What stands before the point in the DER of a key for P-256 (RFC 5480 §2).
const SPKI_P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// An uncompressed point of P-256 (SEC 1 §2.3.3).
const POINT: usize = 65;
/// `r` and `s` of P-256 (RFC 7518 §3.4): 32 bytes each.
const HALF: usize = 32;

/// A proof key whose private part stays where it is, as in the key store of a phone: ES256, the one
/// algorithm that all of them have. What the platforms give is taken as it is.
///
/// `Debug` shows its thumbprint.
pub struct DeviceKey<S> {
    jwk: Map<String, Value>,
    thumbprint: Thumbprint,
    sign: S,
}

impl<S> DeviceKey<S>
where
    S: Fn(&[u8]) -> Result<Vec<u8>, Cause> + Send + Sync,
{
    /// The key with this public part, which signs by `sign`.
    ///
    /// `public` is the key in DER (SPKI), as `getEncoded` gives it on Android, or its uncompressed
    /// point, as `SecKeyCopyExternalRepresentation` gives it on Apple's systems. `sign` signs the
    /// SHA-256 of what it is given by ECDSA, and gives the signature in DER or as `r ‖ s`.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `proofKey` when that is no public key on P-256.
    pub fn new(public: &[u8], sign: S) -> Result<Self> {
        let unusable = |_| Error::config("proofKey", "is not a public key on P-256");
        let is_point = public.len() == POINT;
        let whole = if is_point { [&SPKI_P256[..], public].concat() } else { public.to_vec() };
        let key = Key::public_der(Algorithm::ES256, &whole).map_err(unusable)?;
        let public = key.public().ok_or_else(|| Error::internal("a key without a public part"))?;
        Ok(Self { jwk: public.jwk(), thumbprint: Thumbprint::of(public)?, sign })
    }

    /// What tokens that are bound to it say.
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
        // The shortest in DER that a P-256 key is ever seen to make is longer than this.
        if signature.len() == 2 * HALF {
            return Ok(signature);
        }
        halves_of(&signature)
            .ok_or_else(|| "the signature of the device is not one of P-256".into())
    }
}

impl<S> fmt::Debug for DeviceKey<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceKey").field("thumbprint", &self.thumbprint).finish_non_exhaustive()
    }
}

/// `r ‖ s` of a signature in DER (RFC 3279 §2.2.3).
fn halves_of(signature: &[u8]) -> Option<Vec<u8>> {
    let mut reader = SliceReader::new(signature).ok()?;
    let (r, s) =
        reader.sequence(|halves| Ok((UintRef::decode(halves)?, UintRef::decode(halves)?))).ok()?;
    reader.finish(()).ok()?;
    let mut whole = vec![0; 2 * HALF];
    for (place, number) in whole.chunks_exact_mut(HALF).zip([r, s]) {
        let bytes = number.as_bytes();
        place.get_mut(HALF.checked_sub(bytes.len())?..)?.copy_from_slice(bytes);
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpop::SoftwareKey;

    const MESSAGE: &[u8] = b"a message";

    fn nothing(_: &[u8]) -> Result<Vec<u8>, Cause> {
        Err("the device is locked".into())
    }

    /// As a device writes a signature: DER, each number as short as it goes.
    fn der_of(halves: &[u8]) -> Vec<u8> {
        let number = |half: &[u8]| {
            let digits: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
            let sign = digits.first().is_none_or(|first| *first >= 0x80).then_some(0);
            let digits: Vec<u8> = sign.into_iter().chain(digits).collect();
            [&[2, u8::try_from(digits.len()).unwrap()], &digits[..]].concat()
        };
        let content = [number(&halves[..HALF]), number(&halves[HALF..])].concat();
        [&[0x30, u8::try_from(content.len()).unwrap()], &content[..]].concat()
    }

    #[test]
    fn takes_both_forms_of_a_public_key_and_no_other() {
        let software = SoftwareKey::generate().unwrap();
        let der = software.public_der().unwrap();
        let point = &der[SPKI_P256.len()..];
        for form in [&der[..], point] {
            let key = DeviceKey::new(form, nothing).unwrap();
            assert_eq!(key.thumbprint(), software.thumbprint().unwrap());
            assert_eq!(key.public_jwk(), software.public_jwk());
        }
        let off_the_curve = [&[4][..], &[1; POINT - 1]].concat();
        for bad in [&[][..], &der[1..], &point[1..], &off_the_curve] {
            let Err(Error::ConfigInvalid { field, .. }) = DeviceKey::new(bad, nothing) else {
                panic!()
            };
            assert_eq!(field, "proofKey");
        }
    }

    #[test]
    fn takes_both_forms_of_a_signature() {
        let software = SoftwareKey::generate().unwrap();
        let der = software.public_der().unwrap();
        let verifier = Key::public_der(Algorithm::ES256, &der).unwrap();
        let as_der = DeviceKey::new(&der, |message| Ok(der_of(&software.sign(message)?))).unwrap();
        let as_halves = DeviceKey::new(&der, |message| software.sign(message)).unwrap();
        // Often enough that a number with a leading zero is among them.
        for _ in 0..600 {
            assert!(verifier.verify(MESSAGE, &as_der.sign(MESSAGE).unwrap()));
        }
        assert!(verifier.verify(MESSAGE, &as_halves.sign(MESSAGE).unwrap()));
    }

    #[test]
    fn what_is_no_signature_is_refused() {
        let der = SoftwareKey::generate().unwrap().public_der().unwrap();
        let long = [vec![0x30, 0x28, 2, 33, 1], vec![1; 32], vec![2, 1, 1]].concat();
        for bad in
            [&[][..], &[0x30, 0], &[0x30, 3, 2, 1, 1], &[0x30, 6, 2, 1, 1, 2, 1, 1, 0], &long]
        {
            let key = DeviceKey::new(&der, |_| Ok(bad.to_vec())).unwrap();
            assert!(key.sign(MESSAGE).is_err(), "{bad:?}");
        }
        assert!(DeviceKey::new(&der, nothing).unwrap().sign(MESSAGE).is_err());
    }
}
