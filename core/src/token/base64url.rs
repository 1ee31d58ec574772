//! base64url without padding (RFC 7515 §2), canonical: one text for the same bytes.
//!
//! The engine refuses padding, line breaks, the other alphabet and trailing bits that are not
//! zero, so no two tokens differ only in how their bytes are written.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Error, Result};

/// For texts that are long enough to gain by it: payloads. Finds out once what the processor can
/// do.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static FAST: LazyLock<base64::engine::simd::Simd> =
    LazyLock::new(|| base64::engine::simd::Simd::url_safe(base64::engine::general_purpose::NO_PAD));
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
static FAST: LazyLock<base64::engine::GeneralPurpose> = LazyLock::new(|| URL_SAFE_NO_PAD);

/// The text of `bytes`.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends the text of `bytes` to `text`.
pub(crate) fn append(bytes: &[u8], text: &mut String) {
    FAST.encode_string(bytes, text);
}

/// The bytes of `text`.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>> {
    // Room is made first: a zeroed allocation, as `decode` makes, is slower to come by.
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    FAST.decode_vec(text, &mut bytes).map_err(|_| Error::TokenMalformed)?;
    Ok(bytes)
}

/// The bytes of `text`, which must be UTF-8.
pub(crate) fn decode_text(text: &str) -> Result<String> {
    String::from_utf8(decode(text)?).map_err(|_| Error::TokenMalformed)
}

/// Decodes `text` into `space` and gives the part that it filled.
pub(crate) fn decode_into<'a>(text: &str, space: &'a mut [u8]) -> Result<&'a [u8]> {
    let length = FAST.decode_slice(text, space).map_err(|_| Error::TokenMalformed)?;
    space.get(..length).ok_or(Error::TokenMalformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_canonical() {
        assert_eq!(decode("_-A").unwrap(), [0xff, 0xe0]);
        for bad in ["_-B", "_-A=", "_-A\n", " _-A", "/+A", "A", "_-A.", "é"] {
            assert!(matches!(decode(bad), Err(Error::TokenMalformed)), "{bad:?}");
            assert!(decode_into(bad, &mut [0; 8]).is_err(), "{bad:?}");
            // Wherever it stands in a text that is long enough for the fast way.
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
    fn decodes_into_given_space() {
        assert_eq!(decode_into("_-A", &mut [0; 8]).unwrap(), [0xff, 0xe0]);
        assert!(decode_into(&encode(&[1; 9]), &mut [0; 8]).is_err());
    }

    #[test]
    fn text_must_be_utf8() {
        assert_eq!(decode_text(&encode("토큰".as_bytes())).unwrap(), "토큰");
        assert!(decode_text(&encode(&[0xff])).is_err());
    }
}
