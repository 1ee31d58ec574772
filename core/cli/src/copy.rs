//! `sessions copy`: the sessions of all users, from one store to another.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use regrant::config::AuthConfig;
use regrant::store::{CopyReport, copy_sessions};
use serde::Serialize;

use crate::output::{Progress, print_message};
use crate::settings::{PREVIOUS_STORE, STORE, Settings, require_existing_store};
use crate::{Context, Exit, Failure, Reply};

/// Copies the sessions of all users from one store to another, while both are in use.
///
/// First set `previousStore` to the former store and `store` to the new one in all processes of the app:
/// each user's sessions then move with the next request, and nobody is signed out. This command moves
/// those of users who send none. When it has finished, remove `previousStore`. Do not copy again after
/// that: sessions that ended meanwhile could come back.
///
/// Safe to interrupt and to run again: the later state of a session is kept. Sessions that are over, counted
/// failures and the revocation feed are not copied.
#[derive(Args, Debug)]
pub(crate) struct CopyAll {
    /// The address of the former store: file:PATH, redis://… or postgres://… By default that of
    /// REGRANT_PREVIOUS_STORE, or `previousStore`.
    ///
    /// Other users of this machine can see arguments: pass an address with a password in
    /// REGRANT_PREVIOUS_STORE.
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// The address of the new store. By default that of REGRANT_STORE, or `store`.
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// Counts without changing anything.
    #[arg(long)]
    dry_run: bool,
    /// The configuration file with the addresses and the options of Redis, or - for standard input. By
    /// default regrant.json, if it exists.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Copied {
    dry_run: bool,
    interrupted: bool,
    #[serde(flatten)]
    report: CopyReport,
}

impl CopyAll {
    pub(crate) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        let settings = Settings { config: self.config.clone(), store: None, realm: None };
        let config = settings.load()?;
        let from = self.from.clone().or_else(|| config.previous_store.clone());
        let from = from.ok_or_else(|| missing("--from", PREVIOUS_STORE, "previousStore"))?;
        let to = self.to.clone().or_else(|| config.store.clone());
        let to = to.ok_or_else(|| missing("--to", STORE, "store"))?;
        if config.address_at(&from).is_same_store(&config.address_at(&to)) {
            return Err(Failure::usage("--from and --to are the same store"));
        }
        let copied = context.block_on(self.copy(config, from, to))?;
        let exit = if copied.interrupted { Exit::Interrupted } else { Exit::Yes };
        context.reply(exit, &copied, |page| {
            let report = &copied.report;
            page.line(&match (copied.interrupted, copied.dry_run) {
                (true, _) => page.paint.warning("interrupted"),
                (false, _) if report.users == 0 => {
                    page.paint.warning("nothing to copy: --from has no sessions")
                }
                (false, true) => page.paint.good("dry run: nothing was changed"),
                (false, false) => page.paint.good("done"),
            });
            let added = if copied.dry_run { "would be copied" } else { "copied" };
            page.rows(&[
                ("users", report.users.to_string()),
                (added, report.added.to_string()),
                ("brought up to date", report.updated.to_string()),
                ("already there", report.unchanged.to_string()),
            ]);
        })
    }

    async fn copy(
        &self,
        mut config: AuthConfig,
        from: String,
        to: String,
    ) -> Result<Copied, Failure> {
        (config.store, config.previous_store) = (Some(from.clone()), None);
        require_existing_store(&config).map_err(|failure| failure.at("--from"))?;
        if to.starts_with("memory:") {
            return Err(Failure::usage("sessions in memory are gone with this process").at("--to"));
        }
        let open = |url: &str, name: &str| {
            let store = config.address_at(url).open(None);
            store.map_err(|error| Failure::from(error).at(name))
        };
        let from = open(&from, "--from")?;
        // Opening a file creates it.
        let is_new = config.address_at(&to).file_path().is_some_and(|path| !path.exists());
        let to = open(if self.dry_run && is_new { "memory:" } else { &to }, "--to")?;
        let mut progress = Progress::start(line);
        let finished = tokio::select! {
            // Polled first, so that the handler is installed before anything is copied.
            biased;
            _ = tokio::signal::ctrl_c() => None,
            report = copy_sessions(&from, &to, self.dry_run, |report| progress.update(report)) => Some(report),
        };
        progress.finish();
        let (dry_run, interrupted) = (self.dry_run, finished.is_none());
        let report = match finished {
            Some(report) => report?,
            None => {
                print_message("interrupted: no session is lost, run it again to continue\n");
                progress.last()
            }
        };
        Ok(Copied { dry_run, interrupted, report })
    }
}

fn missing(argument: &str, variable: &str, option: &str) -> Failure {
    let problem = format!("is required, as an argument, in {variable} or as the option {option}");
    Failure::usage(problem).at(argument)
}

fn line(report: &CopyReport, elapsed: Duration) -> String {
    let CopyReport { users, added, updated, .. } = report;
    let rate = u128::from(*users) * 1000 / elapsed.as_millis().max(1);
    format!("{users} users, {added} sessions copied, {updated} brought up to date, {rate} users/s")
}
