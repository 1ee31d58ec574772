//! The refresh token: its claims, its secret, and how a child's secret is derived from its parent's.
//!
//! A refresh token is a JWT with `typ: rt+jwt`, signed with HS256 under a secret that no verifier of
//! access tokens has. Only this server reads it, so the format is exact: unknown claims are
//! rejected.
//!
//! The secret of a child is a hash of its parent's secret, its branch and its issue time, so the same
//! child can be issued again, bit for bit, and nothing of it is stored.

use std::borrow::Cow;
use std::fmt;

use base64::display::Base64Display;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use super::{IssuedChild, PresentedToken, SessionTerms, TokenId};
use crate::error::{Error, Result};
use crate::keys::{RefreshKeys, Thumbprint};
use crate::token::base64url;
use crate::token::json;
use crate::token::jws::{self, Compact, Header, TYP_REFRESH, is_typ};
use crate::types::{FamilyPosition, Generation, RefreshToken, SessionId, Subject, Timestamp};

const ALG: &str = "HS256";

/// The header of every refresh token, encoded.
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6InJ0K2p3dCJ9";

/// The longest refresh token, in bytes, which is also what a cookie can hold. A subject and claims of the
/// longest lengths, with every character escaped, make less than 4000.
const MAX_BYTES: usize = 4096;

/// One rotation per second for more than 60 years.
const MAX_GENERATION: Generation = 1 << 31;

const CHILD_LABEL: &[u8] = b"regrant refresh child v1";

/// The claims of a refresh token.
#[derive(Clone, Debug)]
pub(crate) struct RefreshClaims {
    pub(crate) subject: Subject,
    pub(crate) session: SessionId,
    pub(crate) family_position: FamilyPosition,
    pub(crate) parent: Option<TokenId>,
    pub(crate) secret: TokenSecret,
    /// The client's key that the session is bound to (RFC 9449 §5), from its login on.
    pub(crate) key: Option<Thumbprint>,
    pub(crate) terms: SessionTerms,
    pub(crate) issued_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

impl RefreshClaims {
    /// Checks form, type, signature and claims of a refresh token. Whether the token is still good,
    /// `exp` included, is decided with the session's record and the store's clock.
    ///
    /// # Errors
    /// The `reject` errors.
    pub(crate) fn verify(token: &str, keys: &RefreshKeys) -> Result<Self> {
        let compact = Compact::split(token, MAX_BYTES)?;
        let header_text = base64url::decode_text(compact.header)?;
        let header = Header::parse(&header_text)?;
        // Before all else: an access token in place of a refresh token, whatever its algorithm, is a
        // common mistake that deserves its own error, and the type is not secret.
        if !header.typ.as_deref().is_some_and(|typ| is_typ(typ, TYP_REFRESH)) {
            return Err(Error::TypMismatch);
        }
        if header.alg != ALG {
            return Err(Error::AlgNotAllowed);
        }
        let signature = base64url::decode(compact.signature)?;
        if !keys.verify(compact.signing_input.as_bytes(), &signature) {
            return Err(Error::SignatureInvalid);
        }
        let payload = base64url::decode_text(compact.payload)?;
        // Strict JSON, as for access tokens.
        json::read_object(&payload, |_, _| ())?;
        let wire: Wire<_, Cow<'_, str>, SessionTerms> =
            serde_json::from_str(&payload).map_err(|_| Error::TokenMalformed)?;
        Self::from_wire(wire).ok_or(Error::TokenMalformed)
    }

    fn from_wire(wire: Wire<Subject, Cow<'_, str>, SessionTerms>) -> Option<Self> {
        if wire.r#gen > MAX_GENERATION || wire.par.is_some() != (wire.r#gen > 0) {
            return None;
        }
        let parent = match wire.par {
            Some(text) => Some(TokenId::from_bytes(bytes(&text)?)),
            None => None,
        };
        Some(Self {
            subject: wire.sub,
            session: wire.sid,
            family_position: FamilyPosition { generation: wire.r#gen, branch: wire.brn },
            parent,
            secret: TokenSecret::from_bytes(bytes(&wire.jti)?),
            key: wire.jkt,
            terms: wire.ses.unwrap_or_default(),
            issued_at: Timestamp::from_millis(wire.iat),
            expires_at: Timestamp::from_millis(wire.exp),
        })
    }

    /// The token with these claims. The same claims give the same token.
    ///
    /// # Errors
    /// [`Error::Internal`], never in practice: the claims always serialize.
    pub(crate) fn sign(&self, keys: &RefreshKeys) -> Result<RefreshToken> {
        let wire = Wire {
            sub: &self.subject,
            sid: self.session,
            r#gen: self.family_position.generation,
            brn: self.family_position.branch,
            par: self.parent.as_ref().map(|parent| Encoded(parent.as_bytes())),
            jti: Encoded(self.secret.expose()),
            jkt: self.key,
            ses: Some(&self.terms).filter(|terms| !terms.is_default()),
            iat: self.issued_at.as_millis(),
            exp: self.expires_at.as_millis(),
        };
        let payload = serde_json::to_string(&wire)
            .map_err(|_| Error::internal("the claims of a refresh token did not serialize"))?;
        let token = jws::encode(HEADER, &payload, |input| Ok(keys.sign(input)))?;
        Ok(RefreshToken::new(token))
    }

    /// The part that the state machine decides about ([`decide_refresh`](super::decide_refresh)).
    pub(crate) fn presented_token(&self) -> PresentedToken {
        PresentedToken {
            generation: self.family_position.generation,
            branch: self.family_position.branch,
            id: self.secret.id(),
            parent: self.parent,
            issued_at: self.issued_at,
            expires_at: self.expires_at,
        }
    }

    /// The claims of the child that a decision issues, which carries `terms` on.
    pub(crate) fn child(&self, issued: &IssuedChild, terms: SessionTerms) -> Self {
        Self {
            subject: self.subject.clone(),
            session: self.session,
            family_position: issued.family_position,
            parent: Some(self.secret.id()),
            secret: self.secret.child(issued.family_position.branch, issued.issued_at),
            key: self.key,
            terms,
            issued_at: issued.issued_at,
            expires_at: issued.expires_at,
        }
    }
}

/// The claims as they are written in the token. `iat` and `exp` are in milliseconds, because the
/// state machine orders tokens by them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire<S, T, M> {
    sub: S,
    sid: SessionId,
    r#gen: Generation,
    brn: u32,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    par: Option<T>,
    jti: T,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jkt: Option<Thumbprint>,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    ses: Option<M>,
    iat: i64,
    exp: i64,
}

/// Bytes that serialize as base64url.
struct Encoded<'a>(&'a [u8]);

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &URL_SAFE_NO_PAD))
    }
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    base64url::decode(text).ok()?.try_into().ok()
}

/// The `jti` of a refresh token: 256 bits that only its client knows. Wiped on drop.
#[derive(Clone)]
pub struct TokenSecret([u8; 32]);

impl TokenSecret {
    /// The secret with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A new random secret, for a login.
    ///
    /// # Errors
    /// [`Error::Internal`] when the operating system has no randomness.
    pub fn random() -> Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
        Ok(Self(bytes))
    }

    /// The bytes. Every call is a place where the secret may leak.
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The secret of the child that was issued for this token at `issued_at` on `branch`.
    #[inline]
    pub fn child(&self, branch: u32, issued_at: Timestamp) -> Self {
        let mut hash = Sha256::new();
        hash.update(CHILD_LABEL);
        hash.update(self.0);
        hash.update(branch.to_be_bytes());
        hash.update(issued_at.as_millis().to_be_bytes());
        Self(hash.finalize().into())
    }

    /// What a record keeps of this token: the first 128 bits of its SHA-256.
    #[inline]
    pub fn id(&self) -> TokenId {
        let hash = Sha256::digest(self.0);
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        TokenId::from_bytes(id)
    }
}

impl fmt::Debug for TokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSecret([redacted])")
    }
}

impl Drop for TokenSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::RefreshSecret;
    use crate::types::SecretBytes;

    fn keys(text: &str) -> RefreshKeys {
        RefreshKeys::new(RefreshSecret::derived_from(&SecretBytes::new(text)).unwrap())
    }

    #[test]
    fn the_constant_header_is_what_the_encoder_writes() {
        assert_eq!(HEADER, jws::encode_header(ALG, TYP_REFRESH, None).unwrap());
    }

    fn terms() -> SessionTerms {
        let claims = serde_json::json!({ "role": "admin" }).as_object().cloned().unwrap();
        SessionTerms::new(claims, Some(std::time::Duration::from_secs(60)), true).unwrap()
    }

    fn claims() -> RefreshClaims {
        RefreshClaims {
            subject: Subject::new("사용자 \"1\"").unwrap(),
            session: SessionId::from_bytes([7; 16]),
            family_position: FamilyPosition { generation: 3, branch: 1 },
            parent: Some(TokenId::from_bytes([9; 16])),
            secret: TokenSecret::from_bytes([5; 32]),
            key: Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".parse().unwrap()),
            terms: terms(),
            issued_at: Timestamp::from_millis(1_700_000_000_123),
            expires_at: Timestamp::from_millis(1_800_000_000_456),
        }
    }

    fn forge(header: &str, payload: &str) -> String {
        jws::encode(&base64url::encode(header.as_bytes()), payload, |input| {
            Ok::<_, Error>(keys("secret").sign(input))
        })
        .unwrap()
    }

    #[test]
    fn verify_returns_the_claims_that_were_signed() {
        let token = claims().sign(&keys("secret")).unwrap();
        let read = RefreshClaims::verify(token.expose(), &keys("secret")).unwrap();
        assert_eq!(read.presented_token(), claims().presented_token());
        assert_eq!((read.subject, read.session), (claims().subject, claims().session));
        assert_eq!((read.key, read.terms), (claims().key, claims().terms));
        assert_eq!(claims().sign(&keys("secret")).unwrap().expose(), token.expose());
    }

    #[test]
    fn a_child_carries_the_id_of_its_parent_and_the_key() {
        let issued = IssuedChild {
            family_position: FamilyPosition { generation: 4, branch: 0 },
            issued_at: Timestamp::from_millis(5),
            expires_at: Timestamp::from_millis(9),
        };
        let child = claims().child(&issued, terms());
        assert_eq!(child.terms, terms());
        assert_eq!(child.parent, Some(claims().secret.id()));
        assert_eq!(child.key, claims().key);
        assert_eq!(child.presented_token(), claims().child(&issued, terms()).presented_token());
        let later = IssuedChild { issued_at: Timestamp::from_millis(6), ..issued };
        assert_ne!(
            child.presented_token().id,
            claims().child(&later, terms()).presented_token().id
        );
    }

    #[test]
    fn terms_of_a_later_version_are_carried_on() {
        let (jti, more) = (base64url::encode(&[1; 32]), r#"{"idle":60000,"more":{"b":[1,null]}}"#);
        let payload = format!(
            r#"{{"sub":"u","sid":"BwcHBwcHBwcHBwcHBwcHBw","gen":0,"brn":0,"jti":"{jti}","ses":{more},"iat":1,"exp":2}}"#
        );
        let token = forge(r#"{"alg":"HS256","typ":"rt+jwt"}"#, &payload);
        let read = RefreshClaims::verify(&token, &keys("secret")).unwrap();
        let issued = IssuedChild {
            family_position: FamilyPosition { generation: 1, branch: 0 },
            issued_at: Timestamp::from_millis(5),
            expires_at: Timestamp::from_millis(9),
        };
        let terms = read.terms.clone().with_claims(terms().claims).unwrap();
        let child = read.child(&issued, terms.clone()).sign(&keys("secret")).unwrap();
        let child = RefreshClaims::verify(child.expose(), &keys("secret")).unwrap();
        assert_eq!(child.terms, terms);
        let written = serde_json::to_value(&child.terms).unwrap();
        assert_eq!(written["more"], serde_json::json!({ "b": [1, null] }));
        assert_eq!(written["idle"], 60_000);
    }

    #[test]
    fn a_token_under_another_secret_is_refused() {
        let token = claims().sign(&keys("secret")).unwrap();
        let outcome = RefreshClaims::verify(token.expose(), &keys("other"));
        assert!(matches!(outcome, Err(Error::SignatureInvalid)));
    }

    #[test]
    fn unknown_duplicate_and_malformed_claims_are_refused() {
        let header = r#"{"alg":"HS256","typ":"rt+jwt"}"#;
        let payload = |extra: &str| {
            format!(
                r#"{{"sub":"u","sid":"BwcHBwcHBwcHBwcHBwcHBw","gen":0,"brn":0,"jti":"{}","iat":1,"exp":2{extra}}}"#,
                base64url::encode(&[1; 32])
            )
        };
        assert!(RefreshClaims::verify(&forge(header, &payload("")), &keys("secret")).is_ok());
        let malformed = [
            payload(r#","more":1"#),
            payload(r#","exp":3"#),
            payload(r#","jkt":"short""#),
            payload(r#","ses":7"#),
            payload(r#","ses":{"idle":-1}"#),
            payload(r#","par":"BwcHBwcHBwcHBwcHBwcHBw""#),
            payload("").replace(r#""gen":0"#, r#""gen":1"#),
            payload("").replace(r#""gen":0"#, r#""gen":-1"#),
            payload("").replace(r#""gen":0"#, r#""gen":"0""#),
            payload("").replace(r#""sub":"u""#, r#""sub":"""#),
            payload("").replace(r#""iat":1"#, r#""iat":1.5"#),
            "[]".to_owned(),
        ];
        for bad in malformed {
            let outcome = RefreshClaims::verify(&forge(header, &bad), &keys("secret"));
            assert!(matches!(outcome, Err(Error::TokenMalformed)), "{bad}");
        }
        for alg in ["HS256", "ES256"] {
            let header = format!(r#"{{"alg":"{alg}","typ":"at+jwt"}}"#);
            let as_access = forge(&header, &payload(""));
            let outcome = RefreshClaims::verify(&as_access, &keys("secret"));
            assert!(matches!(outcome, Err(Error::TypMismatch)), "{alg}");
        }
        let none = forge(r#"{"alg":"none","typ":"rt+jwt"}"#, &payload(""));
        assert!(matches!(RefreshClaims::verify(&none, &keys("secret")), Err(Error::AlgNotAllowed)));
    }
}
