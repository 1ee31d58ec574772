//! `sweep`: imports all refresh tokens of the legacy app.

use std::collections::HashMap;
use std::io::{IsTerminal as _, stderr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use clap::Args;
use regrant::Auth;
use regrant::error::{Error, Result};
use regrant::migration::{IdentityResolver, SweepOptions, SweepReport};
use regrant::types::Subject;
use serde::Serialize;

use crate::output::print_message;
use crate::settings::{Settings, read_text, require_existing_store};
use crate::{Context, Exit, Failure, Reply};

/// Takes over all refresh tokens that the old app's Redis holds, and removes their keys.
///
/// Needs `migrate` in the configuration. It can be interrupted at any instant and run again, while
/// users refresh and log out. When it is done, processes of the old app find no session any more:
/// stop them first.
#[derive(Args, Debug)]
pub(crate) struct Sweep {
    /// Counts, and changes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Also removes tokens that have expired, and those of users who are not known.
    #[arg(long)]
    remove_dead: bool,
    /// Whose a token is, where the old app stored e-mail addresses or the like: a JSON object from
    /// what it stored to the user's id. Who is not in it is not known.
    #[arg(long, value_name = "FILE")]
    users: Option<PathBuf>,
    /// What the old app stored is the user's id even where it looks like an e-mail address.
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
        let config = self.settings.load()?.config;
        require_existing_store(&config)?;
        let builder = config.builder()?;
        let builder = match &self.users {
            Some(file) => builder.identity_resolver(FromFile::read(file)?),
            None => builder.identity_resolver(TheValues { trusted: self.values_are_ids }),
        };
        let swept = context.block_on(async { self.sweep(&builder.build()?).await })?;
        let exit = if swept.interrupted { Exit::Interrupted } else { Exit::Yes };
        context.reply(exit, &swept, |page| {
            let report = &swept.report;
            page.line(&match (swept.interrupted, swept.dry_run) {
                (true, _) => page.paint.warning("interrupted"),
                (false, true) => page.paint.good("counted; nothing was changed"),
                (false, false) => page.paint.good("done"),
            });
            let converted = if swept.dry_run { "to be taken over" } else { "taken over" };
            page.rows(&[
                ("keys seen", report.scanned.to_string()),
                (converted, report.converted.to_string()),
                ("logged out", report.logged_out.to_string()),
                ("expired", report.expired.to_string()),
                ("unknown users", report.unknown_users.to_string()),
                ("removed", report.removed.to_string()),
                ("not of the old app", report.foreign.to_string()),
            ]);
        })
    }

    async fn sweep(&self, auth: &Auth) -> Result<Swept, Failure> {
        let mut options = SweepOptions::default();
        (options.dry_run, options.remove_dead) = (self.dry_run, self.remove_dead);
        let mut progress = Progress::start();
        let finished = tokio::select! {
            // First, so that it is listened for before anything begins.
            biased;
            _ = tokio::signal::ctrl_c() => None,
            report = auth.sweep_legacy_tokens(options, |report| progress.tell(report)) => Some(report),
        };
        progress.end();
        let (dry_run, interrupted) = (self.dry_run, finished.is_none());
        let report = match finished {
            Some(report) => report?,
            None => {
                print_message("interrupted: nothing is lost, run it again to go on\n");
                progress.last()
            }
        };
        Ok(Swept { dry_run, interrupted, report })
    }
}

/// From a file that the operator wrote.
pub(crate) struct FromFile(HashMap<String, Subject>);

impl FromFile {
    pub(crate) fn read(file: &Path) -> Result<Self, Failure> {
        let text = read_text(file)?;
        serde_json::from_str(&text).map(Self).map_err(|error| {
            // serde quotes no value of a wrong type that is text, and ids are no secrets.
            let problem = format!("expected a JSON object from value to id: {error}");
            Failure::usage(problem).at(&file.display().to_string())
        })
    }
}

#[async_trait]
impl IdentityResolver for FromFile {
    async fn subject(&self, value: &str) -> Result<Option<Subject>> {
        Ok(self.0.get(value).cloned())
    }
}

/// The values themselves. Sessions under the wrong name cannot be put right afterwards, so what
/// looks like an e-mail address is taken for an id only when the operator says so.
pub(crate) struct TheValues {
    pub(crate) trusted: bool,
}

#[async_trait]
impl IdentityResolver for TheValues {
    async fn subject(&self, value: &str) -> Result<Option<Subject>> {
        if value.contains('@') && !self.trusted {
            let problem = "the old app stored e-mail addresses: name the users' ids with --users FILE, or say --values-are-ids";
            return Err(Error::config("migrate", problem));
        }
        Ok(Subject::new(value).ok())
    }
}

const ON_TERMINAL: Duration = Duration::from_millis(200);
const ELSEWHERE: Duration = Duration::from_secs(5);

pub(crate) struct Progress {
    began: Instant,
    told: Instant,
    report: SweepReport,
    terminal: bool,
    /// Whether a line is on the terminal that the next one replaces.
    open: bool,
}

impl Progress {
    pub(crate) fn start() -> Self {
        let now = Instant::now();
        let report = SweepReport::default();
        Self { began: now, told: now, report, terminal: stderr().is_terminal(), open: false }
    }

    pub(crate) fn tell(&mut self, report: &SweepReport) {
        self.report = *report;
        let every = if self.terminal { ON_TERMINAL } else { ELSEWHERE };
        if self.told.elapsed() >= every {
            self.told = Instant::now();
            self.write();
        }
    }

    /// The last line, with what has been met altogether.
    pub(crate) fn end(&mut self) {
        self.write();
        if self.open {
            print_message("\n");
        }
    }

    pub(crate) const fn last(&self) -> SweepReport {
        self.report
    }

    fn write(&mut self) {
        let line = line(&self.report, self.began.elapsed());
        if self.terminal {
            // To the beginning of the line, and clear what was there.
            print_message(&format!("\r\x1b[K{line}"));
            self.open = true;
        } else {
            print_message(&format!("{line}\n"));
        }
    }
}

fn line(report: &SweepReport, taken: Duration) -> String {
    let rate = u128::from(report.scanned) * 1000 / taken.as_millis().max(1);
    let SweepReport { scanned, converted, logged_out, .. } = report;
    format!("{scanned} keys seen, {converted} taken over, {logged_out} logged out, {rate} keys/s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_of_the_whole_run() {
        let mut report = SweepReport::default();
        (report.scanned, report.converted) = (5_000, 4_000);
        let told = line(&report, Duration::from_secs(2));
        assert_eq!(told, "5000 keys seen, 4000 taken over, 0 logged out, 2500 keys/s");
        assert!(line(&report, Duration::ZERO).ends_with("5000000 keys/s"));
    }
}
