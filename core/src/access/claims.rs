//! The rules for the claims of an access token (RFC 7519 §4.1).
//!
//! Expiry comes last: [`Error::TokenExpired`] means that the token was good in every other way,
//! so that nobody is advised to refresh because of a token that was never acceptable.

use std::borrow::Cow;
use std::time::Duration;

use super::found::{Found, Role};
use super::kind::Kind;
use super::policy::AccessPolicy;
use super::shapes::{Layout, Shapes};
use crate::error::{Error, Result};
use crate::keys::Thumbprint;
use crate::token::json::{self, Item, Number, Written, numeric_date};
use crate::types::{FamilyPosition, SessionId, Subject, Timestamp};

/// The claims that only the library writes, besides the configured subject claim.
pub(super) const REGISTERED: [&str; 11] =
    ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "gen", "brn", "cnf"];

/// What everybody asks of claims that were checked. The rest is read again when it is asked for.
#[derive(Clone, Debug)]
pub(super) struct Claims {
    pub(super) subject: Subject,
    pub(super) session: Option<SessionId>,
    pub(super) family_position: Option<FamilyPosition>,
    pub(super) key: Option<Thumbprint>,
    pub(super) times: Times,
}

/// Reads the claims in `payload` and holds them to `policy`; says, too, where they stand.
pub(super) fn check(
    payload: &str,
    kind: Kind,
    policy: &AccessPolicy,
    shapes: &Shapes,
    now: Timestamp,
) -> Result<(Claims, Layout)> {
    let (found, layout) = Found::read(payload, policy, shapes)?;
    let times = Times::read(&found)?;
    if let (Kind::Legacy, Some(legacy)) = (kind, policy.legacy) {
        times.check_lifetime(legacy.max_lifetime, now)?;
    }
    check_issuer(found.get(Role::Issuer), policy)?;
    check_audience(found.get(Role::Audience), policy)?;
    let subject = match (found.get(Role::NamedSubject), found.get(Role::Subject)) {
        (Some(item), _) => read_id(item, &policy.subject_claim)?,
        // RFC 7519 §4.1.2: a string. Apps from before wrote the ids of rows all the same.
        (None, Some(item)) if kind == Kind::Access && item.text().is_none() => {
            return Err(Error::claim_invalid(AccessPolicy::DEFAULT_SUBJECT_CLAIM));
        }
        (None, Some(item)) => read_id(item, AccessPolicy::DEFAULT_SUBJECT_CLAIM)?,
        (None, None) => return Err(Error::claim_missing(policy.subject_claim.clone())),
    };
    // In a token from before, these three names are the app's own: `gen` may be anything. In those
    // of another issuer, `sid` is what that calls its sessions (OpenID Connect Front-Channel
    // Logout §3), unless it is of the form of this library.
    let session = || {
        read_session(found.get(Role::Session), found.get(Role::Generation), found.get(Role::Branch))
    };
    let (session, family_position) = match kind {
        Kind::Access if policy.foreign => session().unwrap_or_default(),
        Kind::Access => session()?,
        Kind::Legacy => (None, None),
    };
    let key = found.get(Role::Confirmation).map(read_key).transpose()?.flatten();
    found.get(Role::Id).map(|item| text(item, "jti")).transpose()?;
    for (bit, name) in policy.required_claims.iter().enumerate() {
        if found.required >> bit & 1 == 0 {
            return Err(Error::claim_missing(name.clone()));
        }
    }
    times.check_now(policy, now)?;
    Ok((Claims { subject, session, family_position, key, times }, layout))
}

impl Claims {
    /// Whether a token that was accepted before is still to be.
    pub(super) fn check_again(&self, policy: &AccessPolicy, now: Timestamp) -> Result<()> {
        self.times.check_now(policy, now)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) exp: Timestamp,
    pub(super) nbf: Option<Timestamp>,
    pub(super) iat: Option<Timestamp>,
}

impl Times {
    fn read(found: &Found<'_>) -> Result<Self> {
        let exp = found.get(Role::Expiry).ok_or_else(|| Error::claim_missing("exp"))?;
        Ok(Self {
            exp: numeric_date(exp, "exp")?,
            nbf: found.get(Role::NotBefore).map(|item| numeric_date(item, "nbf")).transpose()?,
            iat: found.get(Role::IssuedAt).map(|item| numeric_date(item, "iat")).transpose()?,
        })
    }

    fn check_lifetime(&self, longest: Duration, now: Timestamp) -> Result<()> {
        if self.exp.since(self.iat.unwrap_or(now)) > longest {
            return Err(Error::claim_invalid("exp"));
        }
        Ok(())
    }

    fn check_now(&self, policy: &AccessPolicy, now: Timestamp) -> Result<()> {
        if self.nbf.is_some_and(|nbf| now.plus(policy.leeway) < nbf) {
            return Err(Error::TokenNotYetValid);
        }
        if let Some(max_age) = policy.max_age {
            let iat = self.iat.ok_or_else(|| Error::claim_missing("iat"))?;
            if now >= iat.plus(max_age).plus(policy.leeway) {
                return Err(Error::TokenExpired);
            }
        }
        if now >= self.exp.plus(policy.leeway) {
            return Err(Error::TokenExpired);
        }
        Ok(())
    }
}

fn check_issuer(item: Option<Item<'_>>, policy: &AccessPolicy) -> Result<()> {
    let accepted = match item {
        Some(item) => {
            let issuer = text(item, "iss")?;
            policy.issuers.is_empty() || policy.issuers.iter().any(|known| *known == issuer)
        }
        None => policy.issuers.is_empty(),
    };
    if accepted { Ok(()) } else { Err(Error::IssuerMismatch) }
}

/// RFC 7519 §4.1.3: where a token names its audience, a verifier that is not among them must
/// refuse it; one without a configured name is among nobody's.
fn check_audience(item: Option<Item<'_>>, policy: &AccessPolicy) -> Result<()> {
    let is_ours = |name: &str| policy.audiences.iter().any(|known| known == name);
    let accepted = match item {
        None => policy.audiences.is_empty(),
        Some(item) => match item.elements() {
            None => is_ours(&text(item, "aud")?),
            Some(names) => {
                let names = names.into_iter().map(|name| text(name, "aud"));
                names.collect::<Result<Vec<_>>>()?.iter().any(|name| is_ours(name))
            }
        },
    };
    if accepted { Ok(()) } else { Err(Error::AudienceMismatch) }
}

/// Text, or the whole number that apps use as the id of a row.
fn read_id(item: Item<'_>, claim: &str) -> Result<Subject> {
    let text = match (item.text(), item.number()) {
        (Some(text), _) => text.into_owned(),
        (_, Some(Number::Integer(number))) => number.to_string(),
        (_, Some(Number::Large(number))) => number.to_string(),
        _ => return Err(Error::claim_invalid(claim.to_owned())),
    };
    Subject::new(text).map_err(|_| Error::claim_invalid(claim.to_owned()))
}

/// `sid` may stand alone; `gen` and `brn` need each other and `sid`.
fn read_session(
    sid: Option<Item<'_>>,
    generation: Option<Item<'_>>,
    branch: Option<Item<'_>>,
) -> Result<(Option<SessionId>, Option<FamilyPosition>)> {
    let session = match sid {
        None => None,
        Some(item) => Some(text(item, "sid")?.parse()?),
    };
    let family_position = match (generation, branch) {
        (None, None) => None,
        (Some(_), None) => return Err(Error::claim_missing("brn")),
        (None, Some(_)) => return Err(Error::claim_missing("gen")),
        (Some(generation), Some(branch)) => Some(FamilyPosition {
            generation: small_number(generation, "gen")?,
            branch: small_number(branch, "brn")?,
        }),
    };
    if family_position.is_some() && session.is_none() {
        return Err(Error::claim_missing("sid"));
    }
    Ok((session, family_position))
}

/// RFC 7800 §3.1: of the ways to name a key the thumbprint is known here (RFC 9449 §6.1); of others
/// nothing can be asked.
fn read_key(item: Item<'_>) -> Result<Option<Thumbprint>> {
    let Written::Other(object) = item.written() else { return Err(Error::claim_invalid("cnf")) };
    let mut jkt = None;
    json::read_object(object, |name, item| {
        if name == "jkt" {
            jkt = Some(item);
        }
    })
    .map_err(|_| Error::claim_invalid("cnf"))?;
    let thumbprint = |jkt: Item<'_>| jkt.text().and_then(|text| text.parse().ok());
    jkt.map(|jkt| thumbprint(jkt).ok_or(Error::claim_invalid("cnf"))).transpose()
}

fn small_number(item: Item<'_>, claim: &'static str) -> Result<u32> {
    match item.number() {
        Some(Number::Integer(number)) => number.try_into().map_err(|_| Error::claim_invalid(claim)),
        _ => Err(Error::claim_invalid(claim)),
    }
}

fn text<'a>(item: Item<'a>, claim: &'static str) -> Result<Cow<'a, str>> {
    item.text().ok_or_else(|| Error::claim_invalid(claim))
}
