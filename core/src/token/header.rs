//! The JOSE header (RFC 7515 §4): what of it is read, and what is refused.
//!
//! `jku`, `jwk`, `x5u`, `x5c` and the thumbprints are never followed: keys come from the
//! configuration alone. Unknown parameters are ignored (RFC 7515 §4).

use std::borrow::Cow;

use serde::Serialize;

use super::base64url;
use super::json::{self, Item};
use crate::error::{Error, Result};

/// The `typ` of an access token (RFC 9068 §2.1).
pub const TYP_ACCESS: &str = "at+jwt";
/// The `typ` of a refresh token.
pub const TYP_REFRESH: &str = "rt+jwt";
/// The `typ` that RFC 7519 §5.1 suggests, which says nothing about the kind of token.
pub(crate) const TYP_JWT: &str = "JWT";

/// More parameters than any header needs. What is read of it before its signature was checked has a
/// bound.
const MAX_PARAMETERS: usize = 64;

/// The parameters that decide how a token is checked.
#[derive(Debug, PartialEq)]
pub(crate) struct Header<'a> {
    pub(crate) alg: Cow<'a, str>,
    pub(crate) typ: Option<Cow<'a, str>>,
    pub(crate) kid: Option<Cow<'a, str>>,
}

impl<'a> Header<'a> {
    /// Reads the decoded text of a header.
    ///
    /// # Errors
    /// [`Error::TokenMalformed`] when it is not a strict JSON object with a text `alg`, when it has
    /// more than 64 members, or when `typ` or `kid` is not text; [`Error::CritUnsupported`] when it
    /// has `crit` (RFC 7515 §4.1.11: no extension is understood here), or a `b64` other than `true`,
    /// which is the default (RFC 7797 §3).
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
        Ok(Self {
            alg: text_of(alg)?.ok_or(Error::TokenMalformed)?,
            typ: text_of(typ)?,
            kid: text_of(kid)?,
        })
    }
}

fn text_of(item: Option<Item<'_>>) -> Result<Option<Cow<'_, str>>> {
    item.map(|item| item.text().ok_or(Error::TokenMalformed)).transpose()
}

/// Whether `typ` names the media type `expected`: compared without regard to case, with the
/// prefix `application/` that RFC 7515 §4.1.9 lets producers leave out.
pub(crate) fn is_typ(typ: &str, expected: &str) -> bool {
    const PREFIX: &str = "application/";
    let bare = match typ.get(..PREFIX.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(PREFIX) => &typ[PREFIX.len()..],
        _ => typ,
    };
    bare.eq_ignore_ascii_case(expected)
}

/// The encoded header of tokens that are issued here.
///
/// # Errors
/// [`Error::Internal`] never in practice: text always serializes.
pub(crate) fn encode(alg: &str, typ: &str, kid: Option<&str>) -> Result<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn has_no_more_parameters_than_it_may() {
        let header = |count: usize| {
            let more: String = (1..count).map(|number| format!(",\"x{number}\":0")).collect();
            format!(r#"{{"alg":"HS256"{more}}}"#)
        };
        assert!(Header::parse(&header(MAX_PARAMETERS)).is_ok());
        let refused = header(MAX_PARAMETERS + 1);
        assert!(matches!(Header::parse(&refused), Err(Error::TokenMalformed)));
    }

    #[test]
    fn refuses_wrong_types_and_extensions() {
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
    fn what_is_encoded_is_read_back() {
        let text = base64url::decode_text(&encode("HS256", TYP_ACCESS, Some("a\"b")).unwrap());
        let text = text.unwrap();
        let header = Header::parse(&text).unwrap();
        assert_eq!(header.kid.as_deref(), Some("a\"b"));
        assert_eq!(encode("HS256", "JWT", None).unwrap(), "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9");
    }
}
