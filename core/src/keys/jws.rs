//! The signature of a compact JWS (RFC 7515 §7.1), and nothing but the signature.
//!
//! For callers that bring their own rules about headers and claims. Whoever wants the rules of
//! this crate takes [`AccessVerifier`](crate::access::AccessVerifier) and
//! [`AccessIssuer`](crate::access::AccessIssuer).

use super::key::Key;
use crate::error::{Error, Result};
use crate::token::base64url;
use crate::token::jws::{self, Compact};

impl Key {
    /// A compact JWS of a header that is base64url already and of a payload that is not: signed,
    /// and otherwise as given.
    ///
    /// The caller answers for it that the header is one and that its `alg` is that of this key.
    ///
    /// # Errors
    /// [`Error::Internal`] for a public key, and when the backend fails.
    pub fn sign_jws(&self, header: &str, payload: &str) -> Result<String> {
        jws::encode(header, payload, |message| self.sign(message))
    }

    /// Checks the signature of a compact JWS of any size. Header and payload are not looked at:
    /// neither `alg`, which the caller compares with that of this key, nor `exp`.
    ///
    /// # Errors
    /// [`Error::TokenMalformed`] unless there are three segments, none of them empty, and the
    /// third is canonical base64url; [`Error::SignatureInvalid`] when this key did not make it.
    pub fn verify_jws(&self, token: &str) -> Result<()> {
        let compact = Compact::split(token, usize::MAX)?;
        let mut space = [0; ON_STACK];
        let decoded;
        let signature = if compact.signature.len() <= ON_STACK {
            base64url::decode_into(compact.signature, &mut space)?
        } else {
            decoded = base64url::decode(compact.signature)?;
            &decoded
        };
        if self.verify(compact.signing_input.as_bytes(), signature) {
            Ok(())
        } else {
            Err(Error::SignatureInvalid)
        }
    }
}

/// Room for a signature by RSA with 4096 bits, encoded. Longer ones are decoded on the heap.
const ON_STACK: usize = 684;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Algorithm, ShortSecret};
    use crate::types::SecretBytes;

    fn key(secret: &str) -> Key {
        Key::hmac(Algorithm::HS256, &SecretBytes::new(secret), ShortSecret::Allow).unwrap()
    }

    /// The example of RFC 7515, appendix A.1.
    #[test]
    fn the_example_of_the_rfc() {
        let secret = base64url::decode(
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        );
        let secret = SecretBytes::new(secret.unwrap());
        let key = Key::hmac(Algorithm::HS256, &secret, ShortSecret::Refuse).unwrap();
        let payload =
            "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
        let token = key.sign_jws("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", payload).unwrap();
        let signature = token.rsplit('.').next().unwrap();
        assert_eq!(signature, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert!(key.verify_jws(&token).is_ok());
    }

    #[test]
    fn only_what_this_key_signed() {
        let token = key("one").sign_jws("e30", "anything").unwrap();
        assert!(key("one").verify_jws(&token).is_ok());
        assert!(matches!(key("two").verify_jws(&token), Err(Error::SignatureInvalid)));
        let moved = token.replacen("e30.", "e31.", 1);
        assert!(matches!(key("one").verify_jws(&moved), Err(Error::SignatureInvalid)));
    }

    #[test]
    fn signatures_of_any_length_and_of_one_spelling() {
        let key = key("one");
        for length in [1, 4, 43, 684, 686, 4000] {
            let token = format!("e30.e30.{}", "A".repeat(length));
            let expected = if length % 4 == 1 { "TokenMalformed" } else { "SignatureInvalid" };
            assert_eq!(format!("{:?}", key.verify_jws(&token).unwrap_err()), expected, "{length}");
        }
        for malformed in ["e30.e30.", "e30..AA", ".e30.AA", "e30.AA", "e30.e30.AB", "e30.e30.AA=="]
        {
            let error = key.verify_jws(malformed).unwrap_err();
            assert!(matches!(error, Error::TokenMalformed), "{malformed}");
        }
    }
}
