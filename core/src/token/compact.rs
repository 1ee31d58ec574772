//! The compact serialization of RFC 7515 §7.1: three segments and two dots.

use memchr::{memchr, memrchr};

use super::base64url;
use crate::error::{Error, Result};

/// The segments of a token, still encoded.
#[derive(Clone, Copy)]
pub(crate) struct Compact<'a> {
    /// The first segment.
    pub(crate) header: &'a str,
    /// The second segment.
    pub(crate) payload: &'a str,
    /// The third segment.
    pub(crate) signature: &'a str,
    /// What the signature is over: the first two segments with their dot.
    pub(crate) signing_input: &'a str,
}

impl<'a> Compact<'a> {
    /// Splits `token`; nothing is decoded and nothing allocated.
    ///
    /// # Errors
    /// [`Error::TokenTooLarge`] before anything else is looked at, [`Error::TokenMalformed`]
    /// unless there are exactly three segments, none of them empty.
    pub(crate) fn split(token: &'a str, max_bytes: usize) -> Result<Self> {
        if token.len() > max_bytes {
            return Err(Error::TokenTooLarge);
        }
        let split_at = |text: &'a str, dot: Option<usize>| {
            let (before, after) = text.split_at_checked(dot?)?;
            Some((before, after.get(1..)?))
        };
        let split = || {
            let (signing_input, signature) = split_at(token, memrchr(b'.', token.as_bytes()))?;
            let (header, payload) =
                split_at(signing_input, memchr(b'.', signing_input.as_bytes()))?;
            let empty = header.is_empty() || payload.is_empty() || signature.is_empty();
            let more = memchr(b'.', payload.as_bytes()).is_some();
            (!empty && !more).then_some(Self { header, payload, signature, signing_input })
        };
        split().ok_or(Error::TokenMalformed)
    }
}

/// A token of the encoded `header` and the `payload`, signed by `sign`.
pub(crate) fn encode<S: AsRef<[u8]>>(
    header: &str,
    payload: &str,
    sign: impl FnOnce(&[u8]) -> Result<S>,
) -> Result<String> {
    // Room for an ECDSA P-256 or HMAC-SHA-512 signature; others grow the text once.
    let mut token = String::with_capacity(header.len() + payload.len() * 4 / 3 + 96);
    token.push_str(header);
    token.push('.');
    base64url::append(payload.as_bytes(), &mut token);
    let signature = sign(token.as_bytes())?;
    token.push('.');
    base64url::append(signature.as_ref(), &mut token);
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_three_segments() {
        let compact = Compact::split("aa.bb.cc", 8).unwrap();
        assert_eq!((compact.header, compact.payload, compact.signature), ("aa", "bb", "cc"));
        assert_eq!(compact.signing_input, "aa.bb");
        for bad in ["", ".", "..", "a.b", "a.b.", "a..c", ".b.c", "a.b.c.d", "a.b.c.d.e", "a.b..d"]
        {
            assert!(matches!(Compact::split(bad, 99), Err(Error::TokenMalformed)), "{bad:?}");
        }
    }

    #[test]
    fn the_size_is_looked_at_first() {
        assert!(matches!(Compact::split("aa.bb.cc", 7), Err(Error::TokenTooLarge)));
        assert!(matches!(Compact::split("no dots at all", 7), Err(Error::TokenTooLarge)));
    }

    #[test]
    fn encodes() {
        let token = encode("hh", "{}", |input| Ok(input.to_vec())).unwrap();
        assert_eq!(token, format!("hh.e30.{}", base64url::encode(b"hh.e30")));
    }
}
