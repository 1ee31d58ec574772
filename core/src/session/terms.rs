//! What a login fixed for its session: the app's claims, and an idle lifetime of its own.
//!
//! Every refresh token of the session carries them, signed, so no store has to keep them. Its client can
//! read them, as it can read an access token. Claims that the app changes later are in the store
//! ([`UpdatedClaims`]) until a refresh token carries them.
//!
//! A later version adds here what an earlier one may ignore: both may serve one session while an app is
//! upgraded. What an earlier version must not ignore, such as a key, is a claim of its own, which that
//! version refuses.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::notes::UpdatedClaims;
use super::policy::{RefreshPolicy, SessionPolicy};
use crate::error::{Error, Result};

/// The terms of a session. The default are those of the policy, without claims.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SessionTerms {
    /// The app's claims, which every access token of the session has.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) claims: Map<String, Value>,
    /// The time of the app's latest change of the claims that these have, in milliseconds
    /// ([`UpdatedClaims::at`]).
    #[serde(rename = "upd", skip_serializing_if = "Option::is_none")]
    updated_at: Option<i64>,
    /// The session's own idle lifetime, in milliseconds.
    #[serde(rename = "idle", skip_serializing_if = "Option::is_none")]
    idle_ttl: Option<u64>,
    /// Whether browsers forget the session when they close.
    #[serde(rename = "brief", skip_serializing_if = "is_false")]
    until_browser_closes: bool,
    /// What a later version has added. The next refresh token has it too.
    #[serde(flatten, skip_serializing_if = "Map::is_empty")]
    unknown: Map<String, Value>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl SessionTerms {
    /// The longest claims, in bytes of JSON. A cookie with the token must not exceed 4096 bytes.
    pub(crate) const MAX_CLAIMS_BYTES: usize = 2048;

    /// The terms of a login.
    ///
    /// # Errors
    /// [`Error::ArgumentInvalid`] for `claims` that are too long.
    pub(crate) fn new(
        claims: Map<String, Value>,
        idle_ttl: Option<Duration>,
        until_browser_closes: bool,
    ) -> Result<Self> {
        let idle_ttl = idle_ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        let terms = Self { idle_ttl, until_browser_closes, ..Self::default() };
        terms.with_claims(claims)
    }

    /// The same terms with the claims that the app has set since, if there are any that these terms do
    /// not know.
    ///
    /// # Errors
    /// [`Error::Internal`] for stored claims that are damaged.
    pub(crate) fn updated(mut self, updated: Option<&UpdatedClaims>) -> Result<Self> {
        if let Some(updated) = updated.filter(|it| Some(it.at.as_millis()) > self.updated_at) {
            self.claims = serde_json::from_str(&updated.json)
                .map_err(|_| Error::internal("the stored claims of a session are damaged"))?;
            self.updated_at = Some(updated.at.as_millis());
        }
        Ok(self)
    }

    /// The same terms with other claims.
    ///
    /// # Errors
    /// [`Error::ArgumentInvalid`] for `claims` that are too long.
    pub(crate) fn with_claims(self, claims: Map<String, Value>) -> Result<Self> {
        Self::check_claims(&claims)?;
        Ok(Self { claims, ..self })
    }

    /// The JSON text of claims that a session can keep.
    ///
    /// # Errors
    /// [`Error::ArgumentInvalid`] for `claims` that are too long.
    pub(crate) fn check_claims(claims: &Map<String, Value>) -> Result<String> {
        let text = serde_json::to_string(claims)
            .map_err(|_| Error::internal("the claims did not serialize"))?;
        if text.len() > Self::MAX_CLAIMS_BYTES {
            let problem = "a session keeps at most 2048 bytes of claims, as JSON";
            return Err(Error::argument("claims", problem));
        }
        Ok(text)
    }

    /// Whether a refresh token need not say anything.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether browsers keep the session when they close.
    pub(crate) const fn is_persistent(&self) -> bool {
        !self.until_browser_closes
    }

    /// The policy for one refresh of this session.
    pub(crate) fn refresh_policy(
        &self,
        policy: &SessionPolicy,
        rotate: Option<bool>,
    ) -> RefreshPolicy {
        let of_policy = policy.for_refresh(rotate);
        let idle_ttl = self.idle_ttl.map_or(of_policy.idle_ttl, Duration::from_millis);
        RefreshPolicy { idle_ttl, ..of_policy }
    }
}
