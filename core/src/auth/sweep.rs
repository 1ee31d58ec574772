//! The sweep: takes over every token that the old app's Redis holds, and removes the raw keys.

use serde::Serialize;

use super::{Auth, Engine};
use crate::error::{Error, Result};
use crate::migration::{Found, LegacyStore, LegacyToken, Migration, Place, Standing};
use crate::observe;
use crate::session::Record;

/// How to sweep.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SweepOptions {
    /// Counts and changes nothing.
    pub dry_run: bool,
    /// Also removes tokens that no old process accepts any more, or whose user is gone.
    pub remove_dead: bool,
}

/// What a sweep has met so far. A key may be met more than once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SweepReport {
    /// Keys that were looked at.
    pub scanned: u64,
    /// Tokens that became sessions and whose keys were removed; with `dry_run`, would be.
    pub converted: u64,
    /// Tokens that were logged out, here or by an old process; their keys are gone.
    pub logged_out: u64,
    /// Tokens past their `exp`.
    pub expired: u64,
    /// Tokens of users whom the app does not know any more.
    pub unknown_users: u64,
    /// Keys that are no token of the old app; never touched.
    pub foreign: u64,
    /// Keys of expired tokens and unknown users that were removed.
    pub removed: u64,
}

impl Auth {
    /// Takes over all tokens in the old app's Redis and removes their keys, calling `progress`
    /// after each page of keys. It can be interrupted at any instant and begun again, by several
    /// processes at once, while users refresh and log out.
    ///
    /// When it is done, processes of the old app find no session any more: stop them first.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `migrate` when no old tokens are configured,
    /// [`Error::StoreUnavailable`] when a store does not answer: begin again.
    pub async fn sweep_old_tokens(
        &self,
        options: SweepOptions,
        progress: impl FnMut(&SweepReport) + Send,
    ) -> Result<SweepReport> {
        let span = observe::operation_span!(INFO, "sweep");
        observe::within(span, self.0.engine.sweep(options, progress), |_| "ok").await
    }
}

impl Engine {
    async fn sweep(
        &self,
        options: SweepOptions,
        mut progress: impl FnMut(&SweepReport) + Send,
    ) -> Result<SweepReport> {
        let adoption = self
            .adoption
            .as_ref()
            .ok_or_else(|| Error::config("migrate", "is required to sweep old tokens"))?;
        let mut report = SweepReport::default();
        let mut cursor = 0;
        loop {
            let page = adoption.legacy_store().keys(cursor).await?;
            for key in &page.keys {
                report.scanned += 1;
                self.sweep_key(adoption, key, options, &mut report).await?;
            }
            progress(&report);
            cursor = page.next;
            if cursor == 0 {
                return Ok(report);
            }
        }
    }

    async fn sweep_key(
        &self,
        adoption: &Migration,
        key: &str,
        options: SweepOptions,
        report: &mut SweepReport,
    ) -> Result<()> {
        let Ok(token) = adoption.read(key) else {
            report.foreign += 1;
            return Ok(());
        };
        if token.is_expired(self.admin.clock.now()) {
            report.expired += 1;
            return remove_dead(adoption.legacy_store(), &token, options, report).await;
        }
        let Some(Found { subject, standing }) = adoption.find(&token).await? else {
            report.unknown_users += 1;
            return remove_dead(adoption.legacy_store(), &token, options, report).await;
        };
        if let Standing::LoggedOut(_) = standing {
            report.logged_out += 1;
            return Ok(());
        }
        if options.dry_run {
            report.converted += 1;
            return Ok(());
        }
        let claims = token.claims(subject, Record::MAX_TIMESTAMP);
        match self.take_over(adoption, &token, &claims, (standing, Place::Swept)).await? {
            (true, _) => report.converted += 1,
            (false, _) => report.logged_out += 1,
        }
        Ok(())
    }
}

async fn remove_dead(
    store: &dyn LegacyStore,
    token: &LegacyToken<'_>,
    options: SweepOptions,
    report: &mut SweepReport,
) -> Result<()> {
    if options.remove_dead && !options.dry_run && store.remove(token.text, &token.session).await?.0
    {
        report.removed += 1;
    }
    Ok(())
}
