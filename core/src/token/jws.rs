//! A compact JWS (RFC 7515 §7.1): splitting it, reading its header, writing a new one.
//!
//! Nothing in this file checks a signature. [`Compact::split`] and [`Header::parse`] are the steps
//! before that, [`decode_unverified`] is for display.

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr, memrchr};
use serde::Serialize;
use serde_json::{Map, Value};

use super::base64url;
use super::json::{self, Item};
use crate::error::{Error, Result};

/// The `typ` of an access token (RFC 9068 §2.1).
pub const TYP_ACCESS: &str = "at+jwt";
/// The `typ` of a refresh token.
pub const TYP_REFRESH: &str = "rt+jwt";
/// The `typ` that RFC 7519 §5.1 suggests. It does not tell an access token from a refresh token.
pub(crate) const TYP_JWT: &str = "JWT";

/// The segments of a token, still encoded.
#[derive(Clone, Copy)]
pub(crate) struct Compact<'a> {
    pub(crate) header: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) signature: &'a str,
    /// The input of the signature: the first two segments and the dot between them.
    pub(crate) signing_input: &'a str,
}

impl<'a> Compact<'a> {
    /// Splits `token` without decoding or allocating.
    ///
    /// # Errors
    /// [`Error::TokenTooLarge`], checked first; [`Error::TokenMalformed`] unless there are exactly
    /// three segments, none of them empty.
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

/// The limit on the parameters of a header, which is read before the signature is checked.
const MAX_PARAMETERS: usize = 64;

/// The header parameters that decide how a token is checked (RFC 7515 §4).
///
/// `jku`, `jwk`, `x5u`, `x5c` and the thumbprints are never followed: keys come from the
/// configuration alone. Unknown parameters are ignored.
#[derive(Debug, PartialEq)]
pub(crate) struct Header<'a> {
    pub(crate) alg: Cow<'a, str>,
    pub(crate) typ: Option<Cow<'a, str>>,
    pub(crate) kid: Option<Cow<'a, str>>,
}

impl<'a> Header<'a> {
    /// Parses the decoded text of a header.
    ///
    /// # Errors
    /// [`Error::TokenMalformed`] when it is not a strict JSON object with a string `alg`, when it
    /// has more than 64 parameters, or when `typ` or `kid` is not a string;
    /// [`Error::CritUnsupported`] when it has `crit` (RFC 7515 §4.1.11; no extension is supported)
    /// or a `b64` other than `true`, the default (RFC 7797 §3).
    pub(crate) fn parse(text: &'a str) -> Result<Self> {
        let (mut alg, mut typ, mut kid) = (None, None, None);
        let (mut extended, mut count) = (false, 0);
        json::read_object(text, |name, item| {
            count += 1;
            match name {
                "alg" => alg = Some(item),
                "typ" => typ = Some(item),
                "kid" => kid = Some(item),
                "crit" => extended = true,
                "b64" => extended |= !item.is_true(),
                _ => {}
            }
        })?;
        if count > MAX_PARAMETERS {
            return Err(Error::TokenMalformed);
        }
        if extended {
            return Err(Error::CritUnsupported);
        }
        let string = |item: Option<Item<'a>>| {
            item.map(|item| item.text().ok_or(Error::TokenMalformed)).transpose()
        };
        Ok(Self {
            alg: string(alg)?.ok_or(Error::TokenMalformed)?,
            typ: string(typ)?,
            kid: string(kid)?,
        })
    }
}

/// Whether `typ` is the media type `expected`: case-insensitive, with or without the prefix
/// `application/` (RFC 7515 §4.1.9).
pub fn is_typ(typ: &str, expected: &str) -> bool {
    const PREFIX: &str = "application/";
    let bare = match typ.get(..PREFIX.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => &typ[PREFIX.len()..],
        _ => typ,
    };
    bare.eq_ignore_ascii_case(expected)
}

/// The base64url header of a new token.
///
/// # Errors
/// [`Error::Internal`] never in practice: strings always serialize.
pub(crate) fn encode_header(alg: &str, typ: &str, kid: Option<&str>) -> Result<String> {
    #[derive(Serialize)]
    struct Fields<'a> {
        alg: &'a str,
        typ: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        kid: Option<&'a str>,
    }

    serde_json::to_vec(&Fields { alg, typ, kid })
        .map(|json| base64url::encode(&json))
        .map_err(|_| Error::internal("a header did not serialize"))
}

/// A new token: the base64url `header`, the `payload`, and what `sign` makes of the two.
pub(crate) fn encode<S: AsRef<[u8]>, E>(
    header: &str,
    payload: &str,
    sign: impl FnOnce(&[u8]) -> Result<S, E>,
) -> Result<String, E> {
    // Room for an ECDSA P-256 or HMAC-SHA-512 signature; a longer one reallocates once.
    let mut token = String::with_capacity(header.len() + payload.len() * 4 / 3 + 96);
    token.push_str(header);
    token.push('.');
    base64url::append(payload.as_bytes(), &mut token);
    let signature = sign(token.as_bytes())?;
    token.push('.');
    base64url::append(signature.as_ref(), &mut token);
    Ok(token)
}

/// The largest token that [`decode_unverified`] decodes, in bytes.
const MAX_DECODED_BYTES: usize = 64 * 1024;

/// The content of a token that was **not verified**: for display and debugging only.
///
/// `Debug` shows the names of header parameters and claims, and no values.
#[derive(Clone, PartialEq)]
pub struct DecodedToken {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl DecodedToken {
    /// The parameters of the header, unverified.
    pub const fn header(&self) -> &Map<String, Value> {
        &self.header
    }

    /// The claims, unverified.
    pub const fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }
}

impl fmt::Debug for DecodedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecodedToken")
            .field("header", &self.header.keys())
            .field("claims", &self.claims.keys())
            .finish()
    }
}

/// Decodes a token **without checking its signature or any claim**.
///
/// Anyone can write such a token: use it to show a countdown, never to decide who a user is.
///
/// # Errors
/// [`Error::TokenTooLarge`] beyond 64 KiB, [`Error::TokenMalformed`] when it is not a compact JWS
/// whose header and payload are JSON objects with unique names.
pub fn decode_unverified(token: &str) -> Result<DecodedToken> {
    let compact = Compact::split(token, MAX_DECODED_BYTES)?;
    base64url::decode(compact.signature)?;
    Ok(DecodedToken {
        header: json::parse_object(&base64url::decode_text(compact.header)?)?,
        claims: json::parse_object(&base64url::decode_text(compact.payload)?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_requires_exactly_three_segments() {
        let compact = Compact::split("aa.bb.cc", 8).unwrap();
        assert_eq!((compact.header, compact.payload, compact.signature), ("aa", "bb", "cc"));
        assert_eq!(compact.signing_input, "aa.bb");
        for bad in ["", ".", "..", "a.b", "a.b.", "a..c", ".b.c", "a.b.c.d", "a.b.c.d.e", "a.b..d"]
        {
            assert!(matches!(Compact::split(bad, 99), Err(Error::TokenMalformed)), "{bad:?}");
        }
    }

    #[test]
    fn size_limit_is_checked_first() {
        assert!(matches!(Compact::split("aa.bb.cc", 7), Err(Error::TokenTooLarge)));
        assert!(matches!(Compact::split("no dots at all", 7), Err(Error::TokenTooLarge)));
    }

    #[test]
    fn encode_appends_payload_and_signature() {
        let token = encode("hh", "{}", |input| Ok::<_, Error>(input.to_vec())).unwrap();
        assert_eq!(token, format!("hh.e30.{}", base64url::encode(b"hh.e30")));
    }

    #[test]
    fn reads_alg_typ_and_kid() {
        let header =
            Header::parse(r#"{"kid":"1","typ":"at+jwt","alg":"HS256","x5u":"u"}"#).unwrap();
        assert_eq!(header.alg, "HS256");
        assert_eq!(header.typ.as_deref(), Some("at+jwt"));
        assert_eq!(header.kid.as_deref(), Some("1"));
        let header = Header::parse(r#"{"alg":"none"}"#).unwrap();
        assert_eq!(header, Header { alg: "none".into(), typ: None, kid: None });
    }

    #[test]
    fn too_many_header_parameters_are_rejected() {
        let header = |count: usize| {
            let more: String = (1..count).map(|number| format!(",\"x{number}\":0")).collect();
            format!(r#"{{"alg":"HS256"{more}}}"#)
        };
        assert!(Header::parse(&header(MAX_PARAMETERS)).is_ok());
        let rejected = header(MAX_PARAMETERS + 1);
        assert!(matches!(Header::parse(&rejected), Err(Error::TokenMalformed)));
    }

    #[test]
    fn wrong_types_and_extensions_are_rejected() {
        for bad in [
            "{}",
            r#"{"typ":"JWT"}"#,
            r#"{"alg":1}"#,
            r#"{"alg":null}"#,
            r#"{"alg":["HS256"]}"#,
            r#"{"alg":"HS256","alg":"none"}"#,
            r#"{"alg":"HS256","typ":1}"#,
            r#"{"alg":"HS256","kid":7}"#,
        ] {
            assert!(matches!(Header::parse(bad), Err(Error::TokenMalformed)), "{bad}");
        }
        for bad in [
            r#"{"alg":"HS256","crit":["exp"],"exp":1}"#,
            r#"{"alg":"HS256","crit":[]}"#,
            r#"{"alg":"HS256","crit":null}"#,
            r#"{"alg":"HS256","b64":false}"#,
            r#"{"alg":"HS256","b64":"true"}"#,
        ] {
            assert!(matches!(Header::parse(bad), Err(Error::CritUnsupported)), "{bad}");
        }
    }

    #[test]
    fn typ_is_a_media_type() {
        for same in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
            assert!(is_typ(same, TYP_ACCESS), "{same}");
        }
        for other in ["", "jwt", "rt+jwt", "at+jwt ", "text/at+jwt", "application/", "응용at+jwt"]
        {
            assert!(!is_typ(other, TYP_ACCESS), "{other}");
        }
    }

    #[test]
    fn encode_header_round_trips() {
        let text =
            base64url::decode_text(&encode_header("HS256", TYP_ACCESS, Some("a\"b")).unwrap());
        let text = text.unwrap();
        let header = Header::parse(&text).unwrap();
        assert_eq!(header.kid.as_deref(), Some("a\"b"));
        assert_eq!(
            encode_header("HS256", "JWT", None).unwrap(),
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
        );
    }

    fn token(header: &str, payload: &str) -> String {
        let encode = |text: &str| base64url::encode(text.as_bytes());
        format!("{}.{}.AA", encode(header), encode(payload))
    }

    #[test]
    fn decode_unverified_shows_header_and_claims() {
        let decoded =
            decode_unverified(&token(r#"{"alg":"none"}"#, r#"{"sub":"7","n":{"a":[1]}}"#));
        let decoded = decoded.unwrap();
        assert_eq!(decoded.header()["alg"], "none");
        assert_eq!(decoded.claims()["n"]["a"][0], 1);
        assert!(!format!("{decoded:?}").contains("none"));
    }

    #[test]
    fn decode_unverified_rejects_malformed_tokens() {
        for bad in [
            "a.b".to_owned(),
            "e30.e30.A".to_owned(),
            "e30=.e30.AA".to_owned(),
            token("[]", "{}"),
            token("{}", r#"{"a":1,"a":2}"#),
        ] {
            assert!(matches!(decode_unverified(&bad), Err(Error::TokenMalformed)), "{bad}");
        }
        let large = "a".repeat(64 * 1024 + 1);
        assert!(matches!(decode_unverified(&large), Err(Error::TokenTooLarge)));
    }
}
