//! The sweep: migrates every token in the legacy app's store and removes the raw keys.

use super::token::LegacyToken;
use super::{LegacyKeyState, LegacyRefreshTokens, MigrationState};
use crate::auth::legacy::{SweepOptions, SweepReport};
use crate::auth::{Auth, Engine, metrics};
use crate::error::{Error, Result};
use crate::types::RevocationReason;

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
        mut progress: impl FnMut(&SweepReport) + Send,
    ) -> Result<SweepReport> {
        let engine = self.engine();
        let tokens = engine.admin().legacy.as_deref();
        let tokens =
            tokens.ok_or_else(|| Error::config("migrate", "is required to sweep legacy tokens"))?;
        let span = metrics::operation_span!(INFO, "sweep");
        metrics::instrument(span, tokens.sweep(engine, options, &mut progress), |_| "ok").await
    }
}

pub(super) struct Sweep<'a> {
    tokens: &'a LegacyRefreshTokens,
    engine: &'a Engine,
    options: SweepOptions,
    report: SweepReport,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(
        tokens: &'a LegacyRefreshTokens,
        engine: &'a Engine,
        options: SweepOptions,
    ) -> Self {
        Self { tokens, engine, options, report: SweepReport::default() }
    }

    pub(super) async fn run(
        mut self,
        progress: &mut (dyn for<'r> FnMut(&'r SweepReport) + Send),
    ) -> Result<SweepReport> {
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
            // Its key is gone.
            MigrationState::LoggedOut(_, RevocationReason::Logout) => false,
            MigrationState::LoggedOut(..) if self.options.dry_run => false,
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
