//! A legacy app in memory: its tokens, its keys, and its processes that are still running.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use regrant::internal::{
    ImportOutcome, KeyPage, LegacyKeyState, LegacyStore, Lookup, MigrationMarker, RevokedBefore,
};
use regrant::types::{SessionId, Subject};
use regrant::{Error, Result};
use serde_json::json;
use sha2::Sha256;

pub const SECRET_KEY: &str = "old";

#[derive(Debug, Default)]
pub struct Contents {
    /// Token → the user's id or e-mail address.
    pub raw: BTreeMap<String, String>,
    pub marks: BTreeMap<SessionId, MigrationMarker>,
    pub ended: BTreeMap<Subject, RevokedBefore>,
    /// Which operation fails, counted from the next one: 1 is the next.
    pub fails: usize,
    /// The answer to the next import is lost.
    pub loses_import: bool,
    /// Removes the key of this token when the next operation has been answered.
    pub logged_out_after_look: Option<String>,
}

/// Cheap to clone; clones share state.
#[derive(Clone, Debug, Default)]
pub struct OldApp(Arc<Mutex<Contents>>);

impl OldApp {
    pub fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap()
    }

    /// Logs a user in, as `jsonwebtoken.sign({}, SECRET_KEY, { expiresIn })` of npm does.
    pub fn login(&self, value: &str, iat: i64, lifetime: Option<i64>) -> String {
        let mut claims = json!({ "iat": iat });
        if let Some(lifetime) = lifetime {
            claims["exp"] = (iat + lifetime).into();
        }
        let token = sign(&claims, SECRET_KEY);
        self.contents().raw.insert(token.clone(), value.to_owned());
        token
    }

    /// Whether a process of the legacy app accepts the token.
    pub fn accepts(&self, token: &str) -> bool {
        self.contents().raw.contains_key(token)
    }

    pub fn logout(&self, token: &str) {
        self.contents().raw.remove(token);
    }

    fn operation(&self) -> Result<MutexGuard<'_, Contents>> {
        let mut contents = self.contents();
        if contents.fails > 0 {
            contents.fails -= 1;
            if contents.fails == 0 {
                return Err(Error::store("the legacy Redis is unavailable"));
            }
        }
        Ok(contents)
    }
}

pub fn sign(claims: &serde_json::Value, secret: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let input = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    // Signed by hand: the crate jsonwebtoken panics if both of its backends are compiled in.
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(&input);
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[async_trait]
impl LegacyStore for OldApp {
    async fn look_up(&self, key: &str, session: &SessionId) -> Result<Lookup> {
        let mut contents = self.operation()?;
        let value = contents.raw.get(key).cloned();
        let marker = contents.marks.get(session).cloned();
        let revoked =
            marker.as_ref().and_then(|marker| contents.ended.get(&marker.subject)).copied();
        if let Some(token) = contents.logged_out_after_look.take() {
            contents.raw.remove(&token);
        }
        Ok(Lookup { value, marker, revoked })
    }

    async fn import(
        &self,
        key: &str,
        session: &SessionId,
        marker: &MigrationMarker,
        _: Duration,
    ) -> Result<ImportOutcome> {
        let mut contents = self.operation()?;
        let revoked = contents.ended.get(&marker.subject).copied();
        if !contents.raw.contains_key(key) {
            let swept = |marker: &&MigrationMarker| marker.key == LegacyKeyState::Swept;
            let marker = contents.marks.get(session).filter(swept).cloned();
            return Ok(ImportOutcome { marker, revoked });
        }
        contents.marks.insert(*session, marker.clone());
        if marker.key == LegacyKeyState::Swept {
            contents.raw.remove(key);
        }
        if std::mem::take(&mut contents.loses_import) {
            return Err(Error::store("the answer is lost"));
        }
        Ok(ImportOutcome { marker: Some(marker.clone()), revoked })
    }

    async fn remove(
        &self,
        key: &str,
        session: &SessionId,
    ) -> Result<(bool, Option<MigrationMarker>)> {
        let mut contents = self.operation()?;
        Ok((contents.raw.remove(key).is_some(), contents.marks.get(session).cloned()))
    }

    async fn revoke_before(&self, subject: &Subject, ended: &RevokedBefore) -> Result<()> {
        let mut contents = self.operation()?;
        let note = contents.ended.entry(subject.clone()).or_insert(*ended);
        if note.until <= ended.until {
            *note = *ended;
        }
        Ok(())
    }

    /// A page of three keys, starting at index `cursor`.
    async fn keys(&self, cursor: u64) -> Result<KeyPage> {
        let contents = self.operation()?;
        let from = usize::try_from(cursor).unwrap();
        let keys: Vec<_> = contents.raw.keys().skip(from).take(3).cloned().collect();
        let next = if keys.len() == 3 { cursor + 1 } else { 0 };
        Ok(KeyPage { keys, next })
    }
}
