//! `sessions list`.

use clap::Args;
use serde::Serialize;

use super::admin;
use crate::auth::{SessionInfo, SessionStatus};
use crate::cli::arguments;
use crate::cli::context::{Context, Reply};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::instants;
use crate::cli::page::printable;
use crate::cli::settings::Settings;
use crate::types::Subject;

/// Lists the sessions of a user: live ones, and those that were ended, with the reason.
#[derive(Args, Debug)]
pub(in crate::cli) struct List {
    /// The user's id, as the app gives it at the login.
    #[arg(value_parser = arguments::subject)]
    subject: Subject,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Serialize)]
struct Listed<'a> {
    subject: &'a Subject,
    sessions: Vec<SessionInfo>,
}

impl List {
    pub(super) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        let sessions = context
            .block_on(async { Ok(admin(&self.settings)?.sessions(&self.subject, None).await?) })?;
        let listed = Listed { subject: &self.subject, sessions };
        context.reply(Exit::Yes, &listed, |page| {
            let now = context.now();
            let live = listed.sessions.iter().filter(|info| info.status == SessionStatus::Live);
            let (live, all) = (live.count(), listed.sessions.len());
            let name = printable(self.subject.as_str());
            page.line(&format!("{name}: {live} live, {} ended", all - live));
            let rows: Vec<_> = listed.sessions.iter().map(|info| row(info, now)).collect();
            page.table(["session", "device", "state", "began", "last refreshed"], &rows);
        })
    }
}

fn row(info: &SessionInfo, now: crate::types::Timestamp) -> [String; 5] {
    let state = match info.status {
        SessionStatus::Live => format!("live, ends {}", instants::relative(info.expires_at, now)),
        SessionStatus::Revoked { reason, ended_at } => {
            format!("ended {} ({reason})", instants::relative(ended_at, now))
        }
    };
    let device = if info.device.is_empty() { "-".into() } else { printable(&info.device) };
    [
        info.id.to_string(),
        device.into_owned(),
        state,
        instants::at(info.created_at),
        instants::relative(info.last_refreshed_at, now),
    ]
}
