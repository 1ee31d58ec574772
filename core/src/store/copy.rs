//! Copying all sessions of one store to another.

use std::sync::Arc;

use serde::Serialize;
use tokio::task::JoinSet;

use super::health::is_probe;
use super::moving::revoke_deleted;
use super::{Imported, SessionStore, UserCursor};
use crate::error::{Error, Result};
use crate::types::{Clock as _, Subject, SystemClock, Timestamp};

/// How many users are copied at a time.
const IN_FLIGHT: usize = 32;

/// What [`copy_sessions`] has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CopyReport {
    /// Users with unexpired sessions.
    pub users: u64,
    /// Sessions that the other store did not have.
    pub added: u64,
    /// Sessions that the other store had in an earlier state, or that are revoked and deleted here.
    pub updated: u64,
    /// Sessions that the other store had in the same state or in a later one, and those that it did not have
    /// and that are over.
    pub unchanged: u64,
}

/// Copies the unexpired sessions of all users, while both stores are in use. It can be interrupted at any
/// time and repeated: the later state of a session is kept
/// ([`Record::merged_with`](crate::session::Record::merged_with)). With `dry_run` nothing is written.
///
/// # Errors
/// A store fails, `from` cannot list its users, or `to` cannot import sessions.
pub async fn copy_sessions(
    from: &Arc<dyn SessionStore>,
    to: &Arc<dyn SessionStore>,
    dry_run: bool,
    mut progress: impl FnMut(&CopyReport),
) -> Result<CopyReport> {
    let (mut report, mut copies) = (CopyReport::default(), JoinSet::new());
    let began_at = SystemClock.now();
    let mut cursor = Some(UserCursor::default());
    while let Some(at) = cursor {
        let page = from.users(&at).await?;
        for user in page.users.into_iter().filter(|user| !is_probe(user)) {
            if copies.len() >= IN_FLIGHT {
                report.count_next(&mut copies).await?;
                progress(&report);
            }
            let (from, to) = (Arc::clone(from), Arc::clone(to));
            copies.spawn(async move { copy_user(&*from, &*to, &user, began_at, dry_run).await });
        }
        cursor = page.next;
    }
    while !copies.is_empty() {
        report.count_next(&mut copies).await?;
        progress(&report);
    }
    Ok(report)
}

impl CopyReport {
    async fn count_next(&mut self, copies: &mut JoinSet<Result<Option<Imported>>>) -> Result<()> {
        let copied = copies.join_next().await;
        let copied = copied.transpose().map_err(|_| Error::internal("a copy was cut off"))?;
        if let Some(imported) = copied.transpose()?.flatten() {
            self.users += 1;
            self.added += imported.added;
            self.updated += imported.updated;
            self.unchanged += imported.unchanged;
        }
        Ok(())
    }
}

/// `None` for a user all of whose sessions have expired.
async fn copy_user(
    from: &dyn SessionStore,
    to: &dyn SessionStore,
    user: &Subject,
    began_at: Timestamp,
    dry_run: bool,
) -> Result<Option<Imported>> {
    let sessions = from.list(user).await?;
    if sessions.is_empty() {
        return Ok(None);
    }
    if !dry_run {
        let mut counts = to.import(user, &sessions).await?;
        let known = to.list(user).await?;
        counts.updated += revoke_deleted(to, user, &known, &sessions, began_at).await?;
        return Ok(Some(counts));
    }
    let known = to.list(user).await?;
    let mut counts = Imported::default();
    for session in &sessions {
        let ours = known.iter().find(|ours| ours.id == session.id).map(|ours| &ours.record);
        counts.count(ours, &session.record, SystemClock.now());
    }
    Ok(Some(counts))
}
