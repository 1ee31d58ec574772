//! Canonical base64url without padding (RFC 7515 §2).
//!
//! The engines reject padding, whitespace, the standard alphabet and non-zero trailing bits, so
//! there is exactly one text for the same bytes.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Error, Result};

/// SIMD, with the features of the processor detected once: faster for payloads.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static FAST: LazyLock<base64::engine::simd::Simd> =
    LazyLock::new(|| base64::engine::simd::Simd::url_safe(base64::engine::general_purpose::NO_PAD));
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
static FAST: LazyLock<base64::engine::GeneralPurpose> = LazyLock::new(|| URL_SAFE_NO_PAD);

/// Encodes `bytes`.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Encodes `bytes` onto the end of `text`.
pub(crate) fn append(bytes: &[u8], text: &mut String) {
    FAST.encode_string(bytes, text);
}

/// Decodes `text`.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>> {
    // Reserved first: `decode` would zero its allocation.
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    FAST.decode_vec(text, &mut bytes).map_err(|_| Error::TokenMalformed)?;
    Ok(bytes)
}

/// Decodes `text` to a UTF-8 string.
pub(crate) fn decode_text(text: &str) -> Result<String> {
    String::from_utf8(decode(text)?).map_err(|_| Error::TokenMalformed)
}

/// Decodes `text` into `space` and returns the filled part.
pub(crate) fn decode_into<'a>(text: &str, space: &'a mut [u8]) -> Result<&'a [u8]> {
    let length = FAST.decode_slice(text, space).map_err(|_| Error::TokenMalformed)?;
    space.get(..length).ok_or(Error::TokenMalformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn non_canonical_text_is_rejected() {
        assert_eq!(decode("_-A").unwrap(), [0xff, 0xe0]);
        for bad in ["_-B", "_-A=", "_-A\n", " _-A", "/+A", "A", "_-A.", "é"] {
            assert!(matches!(decode(bad), Err(Error::TokenMalformed)), "{bad:?}");
            assert!(decode_into(bad, &mut [0; 8]).is_err(), "{bad:?}");
            // At every position of a text that is long enough for SIMD.
            for before in [32, 64, 96, 128, 400] {
                let long = format!("{}{bad}", "abcd".repeat(before / 4));
                assert!(matches!(decode(&long), Err(Error::TokenMalformed)), "{long:?}");
            }
        }
        let mut long = "abcd".repeat(40).into_bytes();
        for place in 0..long.len() {
            for wrong in *b"+/=. \n\x00\x7f" {
                let right = std::mem::replace(&mut long[place], wrong);
                let text = std::str::from_utf8(&long).unwrap();
                assert!(decode(text).is_err(), "{wrong} at {place}");
                long[place] = right;
            }
        }
    }

    #[test]
    fn decode_into_needs_enough_space() {
        assert_eq!(decode_into("_-A", &mut [0; 8]).unwrap(), [0xff, 0xe0]);
        assert!(decode_into(&encode(&[1; 9]), &mut [0; 8]).is_err());
    }

    #[test]
    fn decode_text_requires_utf8() {
        assert_eq!(decode_text(&encode("토큰".as_bytes())).unwrap(), "토큰");
        assert!(decode_text(&encode(&[0xff])).is_err());
    }
}
