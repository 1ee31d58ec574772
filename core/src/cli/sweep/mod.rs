//! `sweep`.

mod progress;
mod users;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use self::progress::Progress;
use self::users::{FromFile, TheValues};
use super::context::{Context, Reply};
use super::exit::Exit;
use super::failure::Failure;
use super::output;
use super::settings::Settings;
use super::store;
use crate::Auth;
use crate::migration::{SweepOptions, SweepReport};

/// Takes over all refresh tokens that the old app's Redis holds, and removes their keys.
///
/// Needs `migrate` in the configuration. It can be interrupted at any instant and run again, while
/// users refresh and log out. When it is done, processes of the old app find no session any more:
/// stop them first.
#[derive(Args, Debug)]
pub(super) struct Sweep {
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
    pub(super) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        let config = self.settings.load()?.config;
        store::existing(&config)?;
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
        let options = SweepOptions { dry_run: self.dry_run, remove_dead: self.remove_dead };
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
                output::message("interrupted: nothing is lost, run it again to go on\n");
                progress.last()
            }
        };
        Ok(Swept { dry_run, interrupted, report })
    }
}
