//! The sweep: migrates every token in the legacy app's store and removes the raw keys.

use std::any::Any;

use serde::Serialize;

use super::token::LegacyToken;
use super::{LegacyKeyState, LegacyRefreshTokens, MigrationState};
use crate::auth::{Auth, Engine, metrics};
use crate::error::{Error, Result};

/// Options of a sweep.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SweepOptions {
    /// Counts and changes nothing.
    pub dry_run: bool,
    /// Also removes tokens that have expired or whose user no longer exists.
    pub remove_dead: bool,
}

/// What a sweep has done so far. A key may be counted more than once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SweepReport {
    /// Keys that were read.
    pub scanned: u64,
    /// Tokens that became sessions and whose keys were removed; with `dry_run`, would be.
    pub converted: u64,
    /// Tokens whose user was logged out, here or by the legacy app; their keys are gone.
    pub logged_out: u64,
    /// Tokens past their `exp`.
    pub expired: u64,
    /// Tokens of users that no longer exist.
    pub unknown_users: u64,
    /// Keys that are not tokens of the legacy app; never touched.
    pub foreign: u64,
    /// Keys of expired tokens and unknown users that were removed.
    pub removed: u64,
}

impl Auth {
    /// Migrates all tokens in the legacy app's store and removes their keys, calling `progress`
    /// after each page of keys. It can be interrupted at any point and started again, and run in
    /// several processes at once, while users refresh and log out.
    ///
    /// Afterwards processes of the legacy app find no session any more: stop them first.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `migrate` when no migration is configured,
    /// [`Error::StoreUnavailable`] when a store does not answer: start again.
    pub async fn sweep_legacy_tokens(
        &self,
        options: SweepOptions,
        progress: impl FnMut(&SweepReport) + Send,
    ) -> Result<SweepReport> {
        let engine = self.engine();
        let hook = engine.admin().legacy.as_deref().map(|hook| hook as &dyn Any);
        let tokens = hook
            .and_then(|hook| hook.downcast_ref::<LegacyRefreshTokens>())
            .ok_or_else(|| Error::config("migrate", "is required to sweep legacy tokens"))?;
        let span = metrics::operation_span!(INFO, "sweep");
        let sweep = Sweep { tokens, engine, options, report: SweepReport::default() };
        metrics::instrument(span, sweep.run(progress), |_| "ok").await
    }
}

struct Sweep<'a> {
    tokens: &'a LegacyRefreshTokens,
    engine: &'a Engine,
    options: SweepOptions,
    report: SweepReport,
}

impl Sweep<'_> {
    async fn run(mut self, mut progress: impl FnMut(&SweepReport) + Send) -> Result<SweepReport> {
        let mut cursor = 0;
        loop {
            let page = self.tokens.store.keys(cursor).await?;
            for key in &page.keys {
                self.report.scanned += 1;
                self.sweep_key(key).await?;
            }
            progress(&self.report);
            cursor = page.next;
            if cursor == 0 {
                return Ok(self.report);
            }
        }
    }

    async fn sweep_key(&mut self, key: &str) -> Result<()> {
        let Ok(token) = self.tokens.verify(key) else {
            self.report.foreign += 1;
            return Ok(());
        };
        if token.is_expired(self.engine.now()) {
            self.report.expired += 1;
            return self.remove_dead(&token).await;
        }
        let Some((subject, state)) = self.tokens.look_up(&token).await? else {
            self.report.unknown_users += 1;
            return self.remove_dead(&token).await;
        };
        let is_live = match state {
            MigrationState::LoggedOut(_) => false,
            _ if self.options.dry_run => true,
            _ => {
                let key = LegacyKeyState::Swept;
                self.tokens.import(self.engine, &token, &subject, state, key).await?.is_live
            }
        };
        match is_live {
            true => self.report.converted += 1,
            false => self.report.logged_out += 1,
        }
        Ok(())
    }

    async fn remove_dead(&mut self, token: &LegacyToken<'_>) -> Result<()> {
        if self.options.remove_dead && !self.options.dry_run {
            let (existed, _) = self.tokens.store.remove(token.text, &token.session).await?;
            self.report.removed += u64::from(existed);
        }
        Ok(())
    }
}
