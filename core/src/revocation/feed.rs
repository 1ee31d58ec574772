//! The feed: a log of revocations in the store, which every process reads.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Revocation, RevocationTarget};
use crate::error::{Error, Result};
use crate::types::Timestamp;

/// The largest number of entries in the feed of a store of this crate. With one more, all of them are replaced by one cut-off
/// time ([`RevocationTarget::Cutoff`](super::RevocationTarget::Cutoff)): every access token issued
/// before it must be refreshed, which asks the store.
pub const MAX_FEED_ENTRIES: usize = 100_000;

/// The largest size of a feed, counted as the JSON of its entries; see [`MAX_FEED_ENTRIES`].
pub const MAX_FEED_BYTES: usize = 16 << 20;

/// A log of revocations that several processes share. Its size is bounded.
#[async_trait]
pub trait RevocationFeed: Send + Sync {
    /// Appends revocations to the feed. Once this is acknowledged, every later read finds them.
    /// Publishing a revocation twice is harmless.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable).
    async fn publish(&self, revocations: &[Revocation]) -> Result<()>;

    /// Reads on from `cursor`; waits for up to `wait` while there is nothing new.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable).
    async fn read(&self, cursor: &FeedCursor, wait: Duration) -> Result<FeedPage>;

    /// The largest number of entries. With one more, all of them are replaced by a cut-off time.
    fn max_entries(&self) -> usize {
        MAX_FEED_ENTRIES
    }

    /// The largest size, counted as the JSON of the entries.
    fn max_bytes(&self) -> usize {
        MAX_FEED_BYTES
    }

    /// The current time on the clock of [`FeedPage::published_at`], to measure propagation delay;
    /// `None` where that clock is not known.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable).
    async fn now(&self) -> Result<Option<Timestamp>> {
        Ok(None)
    }
}

/// A position in the feed. The text is the store's own; the default is the beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedCursor(pub String);

/// What one read of the feed returns.
#[derive(Clone, Debug, Default)]
pub struct FeedPage {
    /// The revocations, in the order in which they were published.
    pub revocations: Vec<Revocation>,
    /// When they were published, by the store's clock, as far as it is known: for metrics only.
    pub published_at: Vec<Timestamp>,
    /// Where to read on.
    pub next: FeedCursor,
    /// Whether the end of the feed was reached. If not, more can be read at once.
    pub complete: bool,
}

/// An entry of the feed as stores keep it, in JSON.
#[derive(Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    revocation: Revocation,
    #[serde(rename = "told", default, skip_serializing_if = "Option::is_none")]
    published_at: Option<Timestamp>,
}

/// The JSON of an entry. `published_at` is for stores that have no other place for it.
pub(crate) fn feed_entry(
    revocation: &Revocation,
    published_at: Option<Timestamp>,
) -> Result<String> {
    serde_json::to_string(&Entry { revocation: revocation.clone(), published_at })
        .map_err(|_| Error::internal("a revocation did not serialize"))
}

/// The JSON of the entry that replaces all others when the feed is full: it denies what they deny
/// and everything else that was issued before `now`. It must not expire before any of them (`expires_at`).
pub(crate) fn cutoff_entry(
    expires_at: Timestamp,
    now: Timestamp,
    published_at: Option<Timestamp>,
) -> Result<String> {
    let target = RevocationTarget::Cutoff { issued_until: now };
    feed_entry(&Revocation::new(target, expires_at), published_at)
}

impl FeedPage {
    /// Adds an entry. `published_at` is for stores that keep it outside of the JSON.
    pub(crate) fn push(&mut self, json: &str, published_at: Option<Timestamp>) {
        match serde_json::from_str::<Entry>(json) {
            Ok(entry) => {
                self.revocations.push(entry.revocation);
                self.published_at.extend(published_at.or(entry.published_at));
            }
            // Written by a newer version. The entries after it must still be read.
            Err(_) => {
                tracing::warn!(target: "regrant::store", "skipped a revocation feed entry of an unknown format");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::revocation::RevocationTarget;
    use crate::session::DiscardedChild;
    use crate::types::{FamilyPosition, SessionId, Subject};

    /// Processes of different versions share a feed.
    #[test]
    fn the_stored_names_of_an_entry_are_stable() {
        let at = Timestamp::from_millis;
        let session = SessionId::from_bytes([7; 16]);
        let family_position = FamilyPosition { generation: 3, branch: 1 };
        let child = DiscardedChild { family_position, issued_until: at(5) };
        let subject = Subject::new("alice").unwrap();
        for (target, expected) in [
            (
                RevocationTarget::Session { session },
                json!({"refuse": "session", "sid": session, "until": 9, "told": 2}),
            ),
            (
                RevocationTarget::Child { session, child },
                json!({"refuse": "child", "sid": session, "gen": 3, "brn": 1, "issued_until": 5,
                    "until": 9, "told": 2}),
            ),
            (
                RevocationTarget::Subject { subject: subject.clone(), issued_until: at(4) },
                json!({"refuse": "subject", "sub": "alice", "before": 4, "until": 9, "told": 2}),
            ),
            (
                RevocationTarget::UserSession { subject: subject.clone(), session },
                json!({"refuse": "user_session", "sub": "alice", "sid": session, "until": 9,
                    "told": 2}),
            ),
            (
                RevocationTarget::UserCutoff {
                    subject: subject.clone(),
                    issued_until: at(4),
                    except: Some(session),
                },
                json!({"refuse": "user_cutoff", "sub": "alice", "before": 4, "except": session,
                    "until": 9, "told": 2}),
            ),
            (
                RevocationTarget::UserCutoff { subject, issued_until: at(4), except: None },
                json!({"refuse": "user_cutoff", "sub": "alice", "before": 4, "until": 9,
                    "told": 2}),
            ),
            (
                RevocationTarget::Cutoff { issued_until: at(4) },
                json!({"refuse": "cutoff", "before": 4, "until": 9, "told": 2}),
            ),
        ] {
            let revocation = Revocation::new(target, at(9));
            let entry = feed_entry(&revocation, Some(at(2))).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&entry).unwrap(), expected);
            let mut page = FeedPage::default();
            page.push(&entry, None);
            assert_eq!((page.revocations, page.published_at), (vec![revocation], vec![at(2)]));
        }
    }

    #[test]
    fn an_entry_of_an_unknown_format_is_skipped() {
        let mut page = FeedPage::default();
        page.push(r#"{"refuse":"everything","until":9}"#, None);
        assert!(page.revocations.is_empty() && page.published_at.is_empty());
    }
}
