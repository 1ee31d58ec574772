//! Issues access tokens.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::claims::{REGISTERED, SUB};
use super::header;
use super::policy::AccessPolicy;
use crate::error::{Error, Result};
use crate::keys::{Keyring, Thumbprint};
use crate::token::jws::{self, TYP_ACCESS};
use crate::token::{base64url, json};
use crate::types::{AccessToken, Clock, FamilyPosition, SessionId, Subject, Timestamp};

/// Issues access tokens: `typ: at+jwt`, signed by the active key of a keyring.
pub struct AccessIssuer {
    keyring: Keyring,
    policy: AccessPolicy,
    clock: Arc<dyn Clock>,
    header: String,
}

/// What an access token is issued for and what it says.
#[derive(Clone, Debug)]
pub struct AccessGrant {
    /// The user.
    pub subject: Subject,
    /// The session, if the token belongs to one.
    pub session: Option<SessionId>,
    /// The position in the session's token family.
    pub family_position: Option<FamilyPosition>,
    /// The key of the client that the token is bound to (`cnf.jkt`, RFC 9449 §6.1).
    pub key: Option<Thumbprint>,
    /// The app's own claims.
    pub claims: Map<String, Value>,
}

impl AccessGrant {
    /// A grant for `subject`, without a session and without claims of the app.
    pub fn new(subject: Subject) -> Self {
        Self { subject, session: None, family_position: None, key: None, claims: Map::new() }
    }
}

/// An issued access token.
#[derive(Clone, Debug)]
pub struct IssuedAccess {
    /// The token.
    pub token: AccessToken,
    /// When it expires (`exp`): a whole second.
    pub expires_at: Timestamp,
}

impl AccessIssuer {
    /// Issues with the active key of `keyring`, by `policy` and the time of `clock`.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for the field `keys` when no key is active.
    pub fn new(keyring: Keyring, policy: AccessPolicy, clock: Arc<dyn Clock>) -> Result<Self> {
        let key = keyring.active().ok_or_else(|| {
            Error::config("keys", "no key can sign; an issuer needs an active one")
        })?;
        let header = header::encode(key, TYP_ACCESS)?;
        Ok(Self { keyring, policy, clock, header })
    }

    /// An issuer with the same rules and other keys.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_keys(&self, keyring: Keyring) -> Result<Self> {
        Self::new(keyring, self.policy.clone(), Arc::clone(&self.clock))
    }

    /// The policy.
    pub const fn policy(&self) -> &AccessPolicy {
        &self.policy
    }

    /// Issues a token for `grant`.
    ///
    /// `iat` is the current second, rounded down, and `exp` is `iat` plus the policy's `ttl`, so
    /// that a token lives for exactly `ttl` by a clock with whole seconds.
    ///
    /// # Errors
    /// [`Error::ArgumentInvalid`] for `claims` when the app's claims use a name that only the
    /// library writes (`iss`, `sub`, `aud`, `exp`, `nbf`, `iat`, `jti`, `sid`, `gen`, `brn`, `cnf`,
    /// the subject claim), lack one that the policy requires, are nested too deep, or make the token longer than verifiers accept, and
    /// for `session` when there is a family position without a session; [`Error::Internal`] when the
    /// backend or the randomness fails.
    pub fn issue(&self, grant: &AccessGrant) -> Result<IssuedAccess> {
        self.issue_at(self.clock.now(), grant, None)
    }

    /// As [`issue`](Self::issue), at `issued_at` and with an `exp` of at most `latest`, both in whole
    /// seconds.
    pub(crate) fn issue_at(
        &self,
        issued_at: Timestamp,
        grant: &AccessGrant,
        latest: Option<Timestamp>,
    ) -> Result<IssuedAccess> {
        self.check(grant)?;
        let key = self.keyring.active().ok_or_else(|| Error::internal("the active key is gone"))?;
        let issued_at = issued_at.as_seconds();
        let ttl = i64::try_from(self.policy.ttl.as_secs()).unwrap_or(i64::MAX);
        let expires_at = issued_at.saturating_add(ttl);
        let expires_at = latest.map_or(expires_at, |latest| expires_at.min(latest.as_seconds()));
        let id = if self.policy.jti { Some(random_id()?) } else { None };

        let payload = Payload { grant, policy: &self.policy, issued_at, expires_at, id };
        let payload = serde_json::to_string(&payload)
            .map_err(|_| Error::internal("the claims did not serialize"))?;
        // Finds claims that are nested too deep for the verifier.
        json::read_object(&payload, |_, _| ())
            .map_err(|_| Error::argument("claims", "nested too deep"))?;

        let token = jws::encode(&self.header, &payload, |message| key.sign(message))?;
        if token.len() > self.policy.max_token_bytes {
            // The app's mistake and not the client's, which must not lose its session for it.
            let problem = "the token would be longer than `access.maxTokenBytes`";
            return Err(Error::argument("claims", problem));
        }
        let expires_at = Timestamp::from_seconds(expires_at);
        Ok(IssuedAccess { token: AccessToken::new(token), expires_at })
    }

    /// Checks that the app may use the names of the grant's claims, as [`issue`](Self::issue) does.
    pub(crate) fn check(&self, grant: &AccessGrant) -> Result<()> {
        if grant.family_position.is_some() && grant.session.is_none() {
            return Err(Error::argument("session", "required with a family position"));
        }
        let reserved = |name: &&String| {
            REGISTERED.contains(&name.as_str()) || **name == self.policy.subject_claim
        };
        if let Some(name) = grant.claims.keys().find(reserved) {
            return Err(Error::argument("claims", format!("{name} is a reserved claim")));
        }
        match self.policy.required_claims().iter().find(|name| !self.writes(name, grant)) {
            Some(name) => {
                let problem = format!("{name} is missing, which `access.requiredClaims` requires");
                Err(Error::argument("claims", problem))
            }
            None => Ok(()),
        }
    }

    /// Whether the token for `grant` has this claim.
    fn writes(&self, name: &str, grant: &AccessGrant) -> bool {
        let policy = &self.policy;
        match name {
            "sub" | "iat" | "exp" => true,
            "iss" => !policy.issuers.is_empty(),
            "aud" => !policy.audiences.is_empty(),
            "sid" => grant.session.is_some(),
            "gen" | "brn" => grant.family_position.is_some(),
            "jti" => policy.jti,
            "cnf" => grant.key.is_some(),
            // To a verifier, `null` is missing.
            _ => {
                let value = grant.claims.get(name);
                name == policy.subject_claim || value.is_some_and(|value| !value.is_null())
            }
        }
    }
}

impl fmt::Debug for AccessIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessIssuer")
            .field("keyring", &self.keyring)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// 128 random bits.
fn random_id() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
    Ok(base64url::encode(&bytes))
}

/// The claims of a token, in the order in which they are written.
struct Payload<'a> {
    grant: &'a AccessGrant,
    policy: &'a AccessPolicy,
    issued_at: i64,
    expires_at: i64,
    id: Option<String>,
}

/// The claim `cnf` (RFC 7800 §3.1).
#[derive(Serialize)]
struct Confirmation {
    jkt: Thumbprint,
}

impl Serialize for Payload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { grant, policy, .. } = self;
        let mut members = serializer.serialize_map(None)?;
        if let Some(issuer) = policy.issuers.first() {
            members.serialize_entry("iss", issuer)?;
        }
        members.serialize_entry(SUB, &grant.subject)?;
        if policy.subject_claim != SUB {
            let number = grant.subject.as_integer().filter(|_| policy.numeric_subject);
            match number {
                Some(number) => members.serialize_entry(&policy.subject_claim, &number)?,
                None => members.serialize_entry(&policy.subject_claim, &grant.subject)?,
            }
        }
        match policy.audiences.as_slice() {
            [] => {}
            [one] => members.serialize_entry("aud", one)?,
            several => members.serialize_entry("aud", several)?,
        }
        if let Some(session) = grant.session {
            members.serialize_entry("sid", &session)?;
        }
        if let Some(family_position) = grant.family_position {
            members.serialize_entry("gen", &family_position.generation)?;
            members.serialize_entry("brn", &family_position.branch)?;
        }
        members.serialize_entry("iat", &self.issued_at)?;
        members.serialize_entry("exp", &self.expires_at)?;
        if let Some(id) = &self.id {
            members.serialize_entry("jti", id)?;
        }
        if let Some(jkt) = grant.key {
            members.serialize_entry("cnf", &Confirmation { jkt })?;
        }
        for (name, value) in &grant.claims {
            members.serialize_entry(name, value)?;
        }
        members.end()
    }
}
