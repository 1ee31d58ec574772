//! The registered claims of an access token (RFC 7519 §4.1): their names, and their values read
//! with types. Which values are accepted is decided by [`policy`](super::policy).

use std::borrow::Cow;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::keys::Thumbprint;
use crate::token::json::{self, Item, Number, numeric_date};
use crate::types::{FamilyPosition, SessionId, Subject, Timestamp};

/// The claims that only the library writes, besides the configured subject claim.
pub(super) const REGISTERED: [&str; 11] =
    ["iss", SUB, "aud", "exp", "nbf", "iat", "jti", "sid", "gen", "brn", "cnf"];

/// The claim for the subject (RFC 7519 §4.1.2).
pub(super) const SUB: &str = "sub";

/// A claim that the verifier reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RegisteredClaim {
    Issuer,
    Subject,
    /// The configured subject claim, where that is not `sub`.
    ConfiguredSubject,
    Audience,
    Expiry,
    NotBefore,
    IssuedAt,
    Id,
    Session,
    Generation,
    Branch,
    Confirmation,
}

impl RegisteredClaim {
    const COUNT: usize = Self::Confirmation as usize + 1;

    #[inline(always)]
    fn from_name(name: &str, subject_claim: &str) -> Option<Self> {
        Some(match name {
            "iss" => Self::Issuer,
            SUB => Self::Subject,
            "aud" => Self::Audience,
            "exp" => Self::Expiry,
            "nbf" => Self::NotBefore,
            "iat" => Self::IssuedAt,
            "jti" => Self::Id,
            "sid" => Self::Session,
            "gen" => Self::Generation,
            "brn" => Self::Branch,
            "cnf" => Self::Confirmation,
            name if name == subject_claim => Self::ConfiguredSubject,
            _ => return None,
        })
    }
}

/// The registered claims of one token, not interpreted yet.
pub(super) struct RawClaims<'a> {
    items: [Option<Item<'a>>; RegisteredClaim::COUNT],
    /// One bit for each watched claim that is present and not null.
    watched: u64,
}

impl<'a> RawClaims<'a> {
    /// Reads `payload`, which must be a strict JSON object. `watched_claims` has at most 64 names.
    #[inline(always)]
    pub(super) fn read(
        payload: &'a str,
        subject_claim: &str,
        watched_claims: &[String],
    ) -> Result<Self> {
        let mut raw = Self { items: [None; RegisteredClaim::COUNT], watched: 0 };
        json::read_object(payload, |name, item| {
            if !item.is_null() {
                for (bit, watched) in watched_claims.iter().enumerate() {
                    raw.watched |= u64::from(watched == name) << bit;
                }
            }
            if let Some(claim) = RegisteredClaim::from_name(name, subject_claim) {
                raw.items[claim as usize] = Some(item);
            }
        })?;
        Ok(raw)
    }

    pub(super) fn get(&self, claim: RegisteredClaim) -> Option<Item<'a>> {
        self.items[claim as usize]
    }

    /// Whether the watched claim at this index is present and not null.
    pub(super) const fn has_watched(&self, index: usize) -> bool {
        self.watched >> index & 1 == 1
    }

    /// `jti` is not used here, but must be text where it is present.
    pub(super) fn check_id(&self) -> Result<()> {
        self.get(RegisteredClaim::Id).map(|item| text(item, "jti")).transpose().map(drop)
    }

    /// The session, if `sid` is the id of one, and the position in its token family.
    ///
    /// Other issuers use these names for their own purposes, such as `sid` for the session of an
    /// OpenID Provider (OpenID Connect Front-Channel Logout §3). Any other value, and a position
    /// without a session, therefore means a token without a session.
    pub(super) fn session(&self) -> (Option<SessionId>, Option<FamilyPosition>) {
        let sid = self.get(RegisteredClaim::Session).and_then(|sid| sid.text());
        let session = sid.and_then(|sid| sid.parse::<SessionId>().ok());
        let number = |claim| self.get(claim).and_then(small_number);
        let position = || {
            let generation = number(RegisteredClaim::Generation)?;
            Some(FamilyPosition { generation, branch: number(RegisteredClaim::Branch)? })
        };
        (session, session.and_then(|_| position()))
    }

    /// `cnf.jkt` (RFC 9449 §6.1). The other confirmation methods of RFC 7800 §3.1 are ignored.
    pub(super) fn key(&self) -> Result<Option<Thumbprint>> {
        let Some(item) = self.get(RegisteredClaim::Confirmation) else { return Ok(None) };
        let invalid = || Error::claim_invalid("cnf");
        let mut jkt = None;
        let object = item.object().ok_or_else(invalid)?;
        json::read_object(object, |name, item| {
            if name == "jkt" {
                jkt = Some(item);
            }
        })
        .map_err(|_| invalid())?;
        let thumbprint = |jkt: Item<'_>| jkt.text().and_then(|text| text.parse().ok());
        jkt.map(|jkt| thumbprint(jkt).ok_or_else(invalid)).transpose()
    }
}

/// What the verifier found in the claims that it accepted.
#[derive(Clone, Debug)]
pub(super) struct Claims {
    pub(super) subject: Subject,
    /// Where the payload has the subject, unless it is written with escapes.
    pub(super) subject_offset: Option<usize>,
    pub(super) session: Option<SessionId>,
    /// Where the payload has the session id, unless it is written with escapes.
    pub(super) session_offset: Option<usize>,
    pub(super) family_position: Option<FamilyPosition>,
    pub(super) key: Option<Thumbprint>,
    pub(super) times: Times,
}

/// The NumericDate claims.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) exp: Timestamp,
    pub(super) nbf: Option<Timestamp>,
    pub(super) iat: Option<Timestamp>,
}

impl Times {
    pub(super) fn read(raw: &RawClaims<'_>) -> Result<Self> {
        let date = |claim, name| raw.get(claim).map(|item| numeric_date(item, name)).transpose();
        Ok(Self {
            exp: date(RegisteredClaim::Expiry, "exp")?
                .ok_or_else(|| Error::claim_missing("exp"))?,
            nbf: date(RegisteredClaim::NotBefore, "nbf")?,
            iat: date(RegisteredClaim::IssuedAt, "iat")?,
        })
    }

    /// From `iat`, or from `now` where there is none, to `exp`.
    pub(super) fn lifetime(&self, now: Timestamp) -> Duration {
        self.exp.since(self.iat.unwrap_or(now))
    }
}

/// A subject: text, or a whole number, which apps use as the id of a row and becomes its digits.
pub(super) fn subject(item: Item<'_>, claim: &str) -> Result<Subject> {
    let text = match (item.text(), item.number()) {
        (Some(text), _) => text.into_owned(),
        (_, Some(Number::Integer(number))) => number.to_string(),
        (_, Some(Number::Large(number))) => number.to_string(),
        _ => return Err(Error::claim_invalid(claim.to_owned())),
    };
    Subject::new(text).map_err(|_| Error::claim_invalid(claim.to_owned()))
}

fn small_number(item: Item<'_>) -> Option<u32> {
    match item.number() {
        Some(Number::Integer(number)) => number.try_into().ok(),
        _ => None,
    }
}

pub(super) fn text<'a>(item: Item<'a>, claim: &'static str) -> Result<Cow<'a, str>> {
    item.text().ok_or_else(|| Error::claim_invalid(claim))
}
