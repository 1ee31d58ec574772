//! A pair as bytes for a storage. Whoever reads them is signed in: a storage must be private to
//! the app, and encrypted where the platform can do it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::types::{AccessToken, RefreshToken, Timestamp};

use super::event::Found;
use super::pair::Pair;

const VERSION: u32 = 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    version: u32,
    access_token: &'a AccessToken,
    refresh_token: &'a RefreshToken,
    user: &'a Option<String>,
    lifetime_ms: Option<u64>,
    issued_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    skew_ms: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read {
    version: u32,
    access_token: String,
    refresh_token: String,
    user: Option<String>,
    lifetime_ms: Option<u64>,
    issued_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    skew_ms: Option<i64>,
}

impl Pair {
    /// The bytes to store. They are as secret as the tokens.
    ///
    /// # Errors
    /// [`Error::Internal`] never in practice: a pair always serializes.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>> {
        let lifetime_ms =
            self.lifetime.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
        let written = Written {
            version: VERSION,
            access_token: &self.access,
            refresh_token: &self.refresh,
            user: &self.user,
            lifetime_ms,
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            skew_ms: self.skew_ms,
        };
        serde_json::to_vec(&written)
            .map(Zeroizing::new)
            .map_err(|_| Error::internal("a pair of tokens did not serialize"))
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let read: Read = serde_json::from_slice(bytes).ok()?;
        (read.version == VERSION).then(|| Self {
            access: AccessToken::new(read.access_token),
            refresh: RefreshToken::new(read.refresh_token),
            user: read.user,
            lifetime: read.lifetime_ms.map(Duration::from_millis),
            issued_at: read.issued_at,
            expires_at: read.expires_at,
            skew_ms: read.skew_ms,
        })
    }
}

impl Found {
    /// What a storage has when it has these bytes, or none.
    pub fn of_bytes(bytes: Option<&[u8]>) -> Self {
        match bytes {
            None => Self::Nothing,
            Some(bytes) => Pair::from_bytes(bytes).map_or(Self::Unreadable, Self::Pair),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_found() {
        let mut pair = Pair::new(AccessToken::new("a"), RefreshToken::new("r")).user("7");
        assert_eq!(Found::of_bytes(Some(&pair.to_bytes().unwrap())), Found::Pair(pair.clone()));
        pair.lifetime = Some(Duration::from_secs(900));
        pair.issued_at = Some(Timestamp::from_seconds(1));
        pair.expires_at = Some(Timestamp::from_seconds(901));
        pair.skew_ms = Some(-600_000);
        assert_eq!(Found::of_bytes(Some(&pair.to_bytes().unwrap())), Found::Pair(pair));
    }

    #[test]
    fn rubbish_is_told_from_nothing() {
        assert_eq!(Found::of_bytes(None), Found::Nothing);
        for bad in [
            "",
            "{",
            "{}",
            r#"{"version":2,"accessToken":"a","refreshToken":"r"}"#,
            r#"{"version":1,"accessToken":"a"}"#,
        ] {
            assert_eq!(Found::of_bytes(Some(bad.as_bytes())), Found::Unreadable, "{bad}");
        }
    }
}
