//! Any correctly signed header and claims: which of them are accepted.

use std::sync::LazyLock;
use std::time::Duration;

use jsonwebtoken::{DecodingKey, Validation};
use regrant::access::{AccessPolicy, AccessVerifier, LegacyTokens, VerifiedAccess};
use regrant::keys::Keyring;
use regrant::{Error, keys::Algorithm};
use serde_json::{Map, Value};

use crate::keys::{self, NOW};
use crate::reference::{json, jws};
use crate::second_opinion;

const USUAL: &str = r#"{"alg":"HS256","typ":"at+jwt"}"#;
/// The largest NumericDate that is read.
const LAST: i64 = 1 << 53;
const DAY: f64 = 24.0 * 3600.0;

/// The first line is the header; without it the input is the claims, under the usual header.
pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (header, claims) = match text.split_once('\n') {
        Some((header, claims)) if !header.is_empty() => (header, claims),
        _ => (USUAL, text.trim_start_matches('\n')),
    };
    if claims.is_empty() || header.len() + claims.len() > 5000 {
        return;
    }
    let token = jws::sign(header, claims, keys::SECRET);
    for rules in [&*LENIENT, &*STRICT] {
        let expected = rules.accept(header, claims);
        match (rules.verifier.verify(&token), expected) {
            (Ok(access), Some(expected)) => {
                says_what_was_signed(&access, &expected, claims);
                if header == USUAL {
                    jsonwebtoken_agrees(&token, &expected);
                }
            }
            (Err(error), None) => is_a_refusal(&error),
            (read, expected) => panic!("{read:?} where {expected:?} was expected"),
        }
    }
}

/// A verifier, and an independent implementation of its policy.
struct Rules {
    verifier: AccessVerifier,
    subject_claim: &'static str,
    issuer: Option<&'static str>,
    audience: Option<&'static str>,
    role: bool,
    max_age: Option<i64>,
    leeway: i64,
    legacy: bool,
}

static LENIENT: LazyLock<Rules> = LazyLock::new(|| {
    let policy =
        AccessPolicy::builder().subject_claim("userId").accept_legacy(LegacyTokens::default());
    Rules {
        verifier: verifier(policy.build()),
        subject_claim: "userId",
        issuer: None,
        audience: None,
        role: false,
        max_age: None,
        leeway: 0,
        legacy: true,
    }
});

static STRICT: LazyLock<Rules> = LazyLock::new(|| {
    let policy = AccessPolicy::builder()
        .issuer("https://a")
        .audience("api")
        .required_claim("role")
        .max_age(Duration::from_secs(600))
        .leeway(Duration::from_secs(5));
    Rules {
        verifier: verifier(policy.build()),
        subject_claim: "sub",
        issuer: Some("https://a"),
        audience: Some("api"),
        role: true,
        max_age: Some(600),
        leeway: 5,
        legacy: false,
    }
});

fn verifier(policy: regrant::Result<AccessPolicy>) -> AccessVerifier {
    let key = regrant::keys::Key::hmac(
        Algorithm::HS256,
        &regrant::types::SecretBytes::new(keys::SECRET),
        regrant::keys::ShortSecret::Refuse,
    );
    let ring = Keyring::single(key.expect("a key"));
    AccessVerifier::new(ring, policy.expect("a policy"), keys::clock()).expect("a verifier")
}

impl Rules {
    /// The claims, if they must be accepted.
    fn accept(&self, header: &str, claims: &str) -> Option<Map<String, Value>> {
        let legacy = is_legacy(&json::object(header)?)?;
        let claims = json::object(claims)?;
        if legacy && !self.legacy {
            return None;
        }
        let date = |name| claims.get(name).map(numeric_date);
        let (exp, nbf, iat) = (date("exp")??, flat(date("nbf"))?, flat(date("iat"))?);
        let (now, leeway) = (NOW as f64, self.leeway as f64);
        let times = nbf.is_none_or(|nbf| now + leeway >= nbf)
            && now < exp + leeway
            && (!legacy || exp - iat.unwrap_or(now) <= DAY)
            && match self.max_age {
                Some(most) => now < iat? + most as f64 + leeway,
                None => true,
            };
        let issuer = match claims.get("iss") {
            Some(iss) => self.issuer.is_none_or(|ours| ours == iss.as_str().unwrap_or_default()),
            None => self.issuer.is_none(),
        };
        let texts =
            ["iss", "jti"].iter().all(|name| claims.get(*name).is_none_or(Value::is_string));
        let audience = match claims.get("aud") {
            None => self.audience.is_none(),
            Some(Value::String(one)) => Some(one.as_str()) == self.audience,
            Some(Value::Array(all)) => {
                all.iter().all(Value::is_string)
                    && all.iter().any(|one| one.as_str() == self.audience)
            }
            Some(_) => false,
        };
        // The app's own claim may be a number; `sub` is a string (RFC 7519 §4.1.2), except in
        // legacy tokens.
        let subject = match claims.get(self.subject_claim) {
            Some(own) if self.subject_claim != "sub" => is_subject(own),
            _ => {
                claims.get("sub").is_some_and(|sub| is_subject(sub) && (legacy || sub.is_string()))
            }
        };
        let role = !self.role || claims.get("role").is_some_and(|role| !role.is_null());
        let session = legacy || is_place(&claims);
        let good = times
            && issuer
            && texts
            && audience
            && role
            && session
            && subject
            && is_unbound(&claims);
        good.then_some(claims)
    }
}

/// `None` if the claim is present and invalid.
fn flat(date: Option<Option<f64>>) -> Option<Option<f64>> {
    match date {
        Some(None) => None,
        Some(found) => Some(found),
        None => Some(None),
    }
}

/// Whether an acceptable header is that of a legacy token.
fn is_legacy(header: &Map<String, Value>) -> Option<bool> {
    let text = |name| header.get(name).map(Value::as_str);
    if text("alg")?? != "HS256"
        || header.contains_key("crit")
        || header.get("b64").is_some_and(|b64| *b64 != Value::Bool(true))
        || header.len() > 64
    {
        return None;
    }
    // The key has no key id, so the token may have any.
    if text("kid") == Some(None) {
        return None;
    }
    match text("typ") {
        None => Some(true),
        Some(typ) => {
            let typ = typ?.to_ascii_lowercase();
            match typ.strip_prefix("application/").unwrap_or(&typ) {
                "at+jwt" => Some(false),
                "jwt" => Some(true),
                _ => None,
            }
        }
    }
}

/// Seconds, exact to the millisecond.
fn numeric_date(value: &Value) -> Option<f64> {
    let Value::Number(number) = value else { return None };
    if let Some(whole) = number.as_i64() {
        return (-LAST..=LAST).contains(&whole).then_some(whole as f64);
    }
    let fraction = number.as_f64().filter(|_| !number.is_u64())?;
    (fraction.abs() <= LAST as f64).then(|| (fraction * 1000.0).round() / 1000.0)
}

fn is_subject(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            (1..=255).contains(&text.len()) && !text.chars().any(char::is_control)
        }
        Value::Number(number) => number.is_i64() || number.is_u64(),
        _ => false,
    }
}

/// Whether the token is not DPoP-bound (RFC 9449 §6.1): `cnf` is absent or an object without `jkt`.
fn is_unbound(claims: &Map<String, Value>) -> bool {
    claims.get("cnf").is_none_or(|cnf| cnf.as_object().is_some_and(|cnf| !cnf.contains_key("jkt")))
}

/// `sid`, `gen` and `brn`: the first alone, or all, or none.
fn is_place(claims: &Map<String, Value>) -> bool {
    let session = claims.get("sid");
    let is_id = |text: &str| {
        crate::reference::base64url::decode(text).is_some_and(|bytes| bytes.len() == 16)
    };
    let small = |value: &Value| value.as_u64().is_some_and(|number| number <= u32::MAX.into());
    session.is_none_or(|session| session.as_str().is_some_and(is_id))
        && match (claims.get("gen"), claims.get("brn")) {
            (None, None) => true,
            (Some(generation), Some(branch)) => {
                session.is_some() && small(generation) && small(branch)
            }
            _ => false,
        }
}

fn says_what_was_signed(access: &VerifiedAccess, expected: &Map<String, Value>, claims: &str) {
    assert_eq!(access.payload(), claims);
    for (name, value) in expected {
        assert_eq!(access.claim(name), Some(value));
    }
    assert_eq!(access.claims().len(), expected.len());
}

/// Compares with `jsonwebtoken`. Its time checks are off, because they use the real clock.
fn jsonwebtoken_agrees(token: &str, expected: &Map<String, Value>) {
    second_opinion::choose_cryptography();
    let mut validation = Validation::new(jsonwebtoken::Algorithm::HS256);
    (validation.validate_exp, validation.validate_aud) = (false, false);
    validation.required_spec_claims.clear();
    let key = DecodingKey::from_secret(keys::SECRET.as_bytes());
    let read = jsonwebtoken::decode::<Map<String, Value>>(token, &key, &validation);
    assert_eq!(&read.expect("jsonwebtoken rejects it").claims, expected);
}

fn is_a_refusal(error: &Error) {
    use regrant::Advice::{Refresh, Reject};
    assert!(matches!(error.advice(), Reject | Refresh), "{error:?}");
    assert!(!matches!(error, Error::SignatureInvalid), "a valid signature was rejected");
}
