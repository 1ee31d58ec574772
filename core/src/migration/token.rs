//! A legacy refresh token: verifies it strictly, and derives a session from its text.

use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};
use crate::keys::Key;
use crate::session::{RefreshClaims, SessionTerms, TokenSecret};
use crate::token::base64url;
use crate::token::json::{self, numeric_date};
use crate::token::jws::{Compact, Header, TYP_JWT, is_typ};
use crate::types::{FamilyPosition, SessionId, Subject, Timestamp};

const ALG: &str = "HS256";

/// The longest token that the legacy app can have received: Node refuses longer headers.
const MAX_BYTES: usize = 16 * 1024;

// Changing a label signs out every user who still has a legacy token.
const SESSION_LABEL: &[u8] = b"regrant adopted session v1";
const SECRET_LABEL: &[u8] = b"regrant adopted secret v1";

/// A legacy token whose form, type and signature were verified.
pub(crate) struct LegacyToken<'a> {
    /// The token itself, which is its key in the legacy store.
    pub(crate) text: &'a str,
    /// The session that it becomes.
    pub(crate) session: SessionId,
    secret: TokenSecret,
    /// Its `iat`; the epoch without one.
    pub(crate) issued_at: Timestamp,
    /// Its `exp`, if it has one.
    pub(crate) expires_at: Option<Timestamp>,
    not_before: Option<Timestamp>,
}

impl<'a> LegacyToken<'a> {
    /// Whether the unverified header of `token` has `typ: JWT` or none, as legacy tokens have. This
    /// server's own tokens have another `typ`.
    pub(crate) fn has_legacy_header(token: &str) -> bool {
        let typ_is_legacy = |text: &str| {
            Header::parse(text)
                .is_ok_and(|header| header.typ.as_deref().is_none_or(|typ| is_typ(typ, TYP_JWT)))
        };
        Compact::split(token, MAX_BYTES)
            .and_then(|compact| base64url::decode_text(compact.header))
            .is_ok_and(|text| typ_is_legacy(&text))
    }

    /// Verifies that one of `keys` signed the token. Its times are left to
    /// [`LegacyToken::check_times`], and whether it is logged out to the legacy store.
    ///
    /// # Errors
    /// The `reject` errors.
    pub(crate) fn verify(text: &'a str, keys: &[Key]) -> Result<Self> {
        let compact = Compact::split(text, MAX_BYTES)?;
        let header_text = base64url::decode_text(compact.header)?;
        let header = Header::parse(&header_text)?;
        if header.alg != ALG {
            return Err(Error::AlgNotAllowed);
        }
        if header.typ.as_deref().is_some_and(|typ| !is_typ(typ, TYP_JWT)) {
            return Err(Error::TypMismatch);
        }
        let signature = base64url::decode(compact.signature)?;
        let message = compact.signing_input.as_bytes();
        if !keys.iter().any(|key| key.verify(message, &signature)) {
            return Err(Error::SignatureInvalid);
        }
        let payload = base64url::decode_text(compact.payload)?;
        let (mut exp, mut iat, mut nbf) = (None, None, None);
        json::read_object(&payload, |name, item| match name {
            "exp" => exp = Some(item),
            "iat" => iat = Some(item),
            "nbf" => nbf = Some(item),
            _ => {}
        })?;
        Ok(Self {
            text,
            session: SessionId::from_bytes(first_half(&hash(SESSION_LABEL, text))),
            secret: TokenSecret::from_bytes(hash(SECRET_LABEL, text)),
            issued_at: iat
                .map(|item| numeric_date(item, "iat"))
                .transpose()?
                .unwrap_or(Timestamp::EPOCH),
            expires_at: exp.map(|item| numeric_date(item, "exp")).transpose()?,
            not_before: nbf.map(|item| numeric_date(item, "nbf")).transpose()?,
        })
    }

    /// Checks `nbf` and `exp`.
    ///
    /// # Errors
    /// [`Error::TokenNotYetValid`], [`Error::RefreshExpired`].
    pub(crate) fn check_times(&self, now: Timestamp) -> Result<()> {
        if self.not_before.is_some_and(|from| now < from) {
            return Err(Error::TokenNotYetValid);
        }
        if self.is_expired(now) {
            return Err(Error::RefreshExpired);
        }
        Ok(())
    }

    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| now >= end)
    }

    /// The claims of an equivalent refresh token of this server: generation 0 of the session. It
    /// expires with the legacy token or at `session_end`, whichever is earlier.
    pub(crate) fn claims(&self, subject: Subject, session_end: Timestamp) -> RefreshClaims {
        RefreshClaims {
            subject,
            session: self.session,
            family_position: FamilyPosition::default(),
            parent: None,
            secret: self.secret.clone(),
            key: None,
            terms: SessionTerms::default(),
            issued_at: self.issued_at,
            expires_at: self.expires_at.map_or(session_end, |end| end.min(session_end)),
        }
    }

    /// The token id in the session's record.
    pub(crate) fn id(&self) -> crate::session::TokenId {
        self.secret.id()
    }
}

/// Each token has exactly one text: base64url is decoded canonically, and an HMAC has one value.
fn hash(label: &[u8], text: &str) -> [u8; 32] {
    Sha256::new().chain_update(label).chain_update(text.as_bytes()).finalize().into()
}

fn first_half(bytes: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.copy_from_slice(&bytes[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Algorithm, ShortSecret};
    use crate::token::jws;
    use crate::types::SecretBytes;

    fn key(secret: &str) -> Key {
        Key::hmac(Algorithm::HS256, &SecretBytes::new(secret), ShortSecret::Allow).unwrap()
    }

    fn sign(header: &str, payload: &str) -> String {
        let header = base64url::encode(header.as_bytes());
        jws::encode(&header, payload, |input| key("old").sign(input)).unwrap()
    }

    const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

    #[test]
    fn the_derived_session_id_is_stable() {
        let text = sign(HEADER, r#"{"iat":1700000000,"exp":1800000000}"#);
        let token = LegacyToken::verify(&text, &[key("other"), key("old")]).unwrap();
        assert_eq!(token.session.to_string(), "thnJPBhzaonQ3LB5N-0h4g");
        assert_eq!(token.issued_at, Timestamp::from_seconds(1_700_000_000));
        assert_eq!(token.expires_at, Some(Timestamp::from_seconds(1_800_000_000)));
        let other = sign(HEADER, r#"{"iat":1700000001,"exp":1800000000}"#);
        let other = LegacyToken::verify(&other, &[key("old")]).unwrap();
        assert_ne!((token.session, token.id()), (other.session, other.id()));
    }

    #[test]
    fn only_tokens_of_the_legacy_app_verify() {
        let refused = |text: &str| LegacyToken::verify(text, &[key("old")]).err().unwrap().code();
        use crate::error::ErrorCode as Code;
        let good = sign(HEADER, "{}");
        assert!(LegacyToken::verify(&good, &[key("old")]).is_ok());
        assert!(LegacyToken::verify(&sign(r#"{"alg":"HS256"}"#, "{}"), &[key("old")]).is_ok());
        assert!(LegacyToken::verify(&good, &[key("another")]).is_err());
        assert_eq!(refused(&sign(r#"{"alg":"none"}"#, "{}")), Code::AlgNotAllowed);
        assert_eq!(refused(&sign(r#"{"alg":"HS512","typ":"JWT"}"#, "{}")), Code::AlgNotAllowed);
        for typ in ["at+jwt", "rt+jwt", "dpop+jwt"] {
            let text = sign(&HEADER.replace("JWT", typ), "{}");
            assert_eq!(refused(&text), Code::TypMismatch);
            assert!(!LegacyToken::has_legacy_header(&text));
        }
        assert!(LegacyToken::has_legacy_header(&good));
        assert_eq!(refused(&sign(HEADER, r#"{"exp":1,"exp":2}"#)), Code::TokenMalformed);
        assert_eq!(refused(&sign(HEADER, r#"{"exp":"soon"}"#)), Code::ClaimInvalid);
        assert_eq!(refused(&format!("{good}=")), Code::TokenMalformed);
    }

    #[test]
    fn nbf_and_exp_are_checked() {
        let text = sign(HEADER, r#"{"nbf":100,"exp":200}"#);
        let token = LegacyToken::verify(&text, &[key("old")]).unwrap();
        let at = |seconds| token.check_times(Timestamp::from_seconds(seconds));
        assert!(matches!(at(99), Err(Error::TokenNotYetValid)));
        assert!(at(100).is_ok() && at(199).is_ok());
        assert!(matches!(at(200), Err(Error::RefreshExpired)));
    }
}
