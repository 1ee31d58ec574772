//! `sweep`: imports all refresh tokens of the legacy app.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use clap::Args;
use regrant::Auth;
use regrant::error::{Error, Result};
use regrant::migration::{IdentityResolver, SweepOptions, SweepReport};
use regrant::types::Subject;
use serde::Serialize;

use crate::output::{Progress, print_message};
use crate::settings::{Settings, read_text, require_existing_store};
use crate::{Context, Exit, Failure, Reply};

/// Migrates all refresh tokens in the legacy app's Redis to sessions, and removes their keys.
///
/// Needs `migrate` in the configuration. Safe while users refresh and log out, and safe to interrupt
/// and to run again. Stop the processes of the legacy app first: they find no sessions afterwards.
#[derive(Args, Debug)]
pub(crate) struct Sweep {
    /// Counts without changing anything.
    #[arg(long)]
    dry_run: bool,
    /// Also removes expired tokens, and those of unknown users.
    #[arg(long)]
    remove_dead: bool,
    /// A JSON object that maps the values in Redis to user ids, for a legacy app that stored e-mail
    /// addresses or the like. Users that it does not contain are unknown.
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// Takes the values in Redis for user ids even if they look like e-mail addresses.
    #[arg(long, conflicts_with = "users")]
    values_are_ids: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Swept {
    dry_run: bool,
    interrupted: bool,
    #[serde(flatten)]
    report: SweepReport,
}

impl Sweep {
    pub(crate) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        let config = self.settings.load()?;
        require_existing_store(&config)?;
        let builder = config.builder()?;
        let builder = match &self.users {
            Some(file) => builder.identity_resolver(UsersFile::read(file)?),
            None => builder.identity_resolver(ValuesAsIds { allow_addresses: self.values_are_ids }),
        };
        let swept = context.block_on(async { self.sweep(&builder.build()?).await })?;
        let exit = if swept.interrupted { Exit::Interrupted } else { Exit::Yes };
        context.reply(exit, &swept, |page| {
            let report = &swept.report;
            page.line(&match (swept.interrupted, swept.dry_run) {
                (true, _) => page.paint.warning("interrupted"),
                (false, true) => page.paint.good("dry run: nothing was changed"),
                (false, false) => page.paint.good("done"),
            });
            let converted = if swept.dry_run { "would be migrated" } else { "migrated" };
            page.rows(&[
                ("scanned keys", report.scanned.to_string()),
                (converted, report.converted.to_string()),
                ("logged out", report.logged_out.to_string()),
                ("expired", report.expired.to_string()),
                ("unknown users", report.unknown_users.to_string()),
                ("removed", report.removed.to_string()),
                ("other keys", report.foreign.to_string()),
            ]);
        })
    }

    async fn sweep(&self, auth: &Auth) -> Result<Swept, Failure> {
        let mut options = SweepOptions::default();
        (options.dry_run, options.remove_dead) = (self.dry_run, self.remove_dead);
        let mut progress = Progress::start(line);
        let finished = tokio::select! {
            // Polled first, so that the handler is installed before the sweep starts.
            biased;
            _ = tokio::signal::ctrl_c() => None,
            report = auth.sweep_legacy_tokens(options, |report| progress.update(report)) => Some(report),
        };
        progress.finish();
        let (dry_run, interrupted) = (self.dry_run, finished.is_none());
        let report = match finished {
            Some(report) => report?,
            None => {
                print_message("interrupted: no token is lost, run it again to continue\n");
                progress.last()
            }
        };
        Ok(Swept { dry_run, interrupted, report })
    }
}

/// Resolves users by the file of `--users`.
struct UsersFile(HashMap<String, Subject>);

impl UsersFile {
    fn read(file: &Path) -> Result<Self, Failure> {
        let text = read_text(file)?;
        serde_json::from_str(&text).map(Self).map_err(|error| {
            let problem = format!("expected a JSON object that maps values to user ids: {error}");
            Failure::usage(problem).at(&file.display().to_string())
        })
    }
}

#[async_trait]
impl IdentityResolver for UsersFile {
    async fn subject(&self, value: &str) -> Result<Option<Subject>> {
        Ok(self.0.get(value).cloned())
    }
}

/// Takes the values for user ids. Sessions of a wrong user cannot be corrected later, so values that
/// look like e-mail addresses need `--values-are-ids`.
struct ValuesAsIds {
    allow_addresses: bool,
}

#[async_trait]
impl IdentityResolver for ValuesAsIds {
    async fn subject(&self, value: &str) -> Result<Option<Subject>> {
        if value.contains('@') && !self.allow_addresses {
            let problem = "the legacy app stored e-mail addresses: map them to user ids with --users FILE, or pass --values-are-ids";
            return Err(Error::config("migrate", problem));
        }
        Ok(Subject::new(value).ok())
    }
}

/// A line of progress.
fn line(report: &SweepReport, elapsed: Duration) -> String {
    let rate = u128::from(report.scanned) * 1000 / elapsed.as_millis().max(1);
    let SweepReport { scanned, converted, logged_out, .. } = report;
    format!("{scanned} keys scanned, {converted} migrated, {logged_out} logged out, {rate} keys/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_the_average_of_the_run() {
        let mut report = SweepReport::default();
        (report.scanned, report.converted) = (5_000, 4_000);
        let text = line(&report, Duration::from_secs(2));
        assert_eq!(text, "5000 keys scanned, 4000 migrated, 0 logged out, 2500 keys/s");
        assert!(line(&report, Duration::ZERO).ends_with("5000000 keys/s"));
    }
}
