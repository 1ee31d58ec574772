//! `sessions revoke`.

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::admin;
use crate::LogoutEverywhere;
use crate::auth::RevocationReport;
use crate::cli::arguments;
use crate::cli::context::{Context, Reply};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::instants;
use crate::cli::output;
use crate::cli::page::{Page, printable};
use crate::cli::settings::Settings;
use crate::types::{RevocationReason, SessionId, Subject};

/// Ends one session of a user, or all of them.
///
/// Refresh tokens are refused at once; access tokens as soon as the servers have read the feed,
/// which they do all the time. It does no harm to end a session twice. Exit status 1 when the user
/// has no such session, 3 when the servers could not be told: run it again.
#[derive(Args, Debug)]
pub(in crate::cli) struct Revoke {
    /// The user's id, as the app gives it at the login.
    #[arg(value_parser = arguments::subject)]
    subject: Subject,
    /// The session, as `sessions list` shows it.
    #[arg(value_parser = arguments::session, allow_hyphen_values = true)]
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    session: Option<SessionId>,
    /// All sessions of the user.
    #[arg(long)]
    all: bool,
    /// But not this one.
    #[arg(long, value_name = "SESSION", requires = "all", conflicts_with = "session")]
    #[arg(value_parser = arguments::session, allow_hyphen_values = true)]
    except: Option<SessionId>,
    /// Only those that began before this instant (2026-01-31T09:30:00Z), or this long ago (2h).
    #[arg(long, value_name = "INSTANT", requires = "all", conflicts_with = "session")]
    before: Option<String>,
    /// The reason, which is kept and shown to the user's client.
    #[arg(long, value_enum, default_value_t = Reason::Administrative)]
    reason: Reason,
    #[command(flatten)]
    settings: Settings,
}

/// The reasons that an operator can give: the others are for what servers find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Reason {
    /// An operator or the app ended it.
    Administrative,
    /// The user logged out of this session.
    Logout,
    /// The user logged out of all sessions.
    LogoutEverywhere,
}

impl From<Reason> for RevocationReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Administrative => Self::Administrative,
            Reason::Logout => Self::Logout,
            Reason::LogoutEverywhere => Self::LogoutEverywhere,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Revoked<'a> {
    subject: &'a Subject,
    reason: RevocationReason,
    revoked: Vec<SessionId>,
    already_revoked: Vec<SessionId>,
    told: bool,
    replicated: Option<bool>,
}

impl Revoke {
    pub(super) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        let ended = context.block_on(self.revoke(context))?;
        let told = match ended.published {
            Ok(()) => true,
            Err(error) => {
                output::message(&Failure::from(error).render(context.json));
                false
            }
        };
        let revoked = Revoked {
            subject: &self.subject,
            reason: self.reason.into(),
            revoked: ended.revoked,
            already_revoked: ended.already_revoked,
            told,
            replicated: ended.replicated,
        };
        let unknown = revoked.revoked.is_empty() && revoked.already_revoked.is_empty();
        let exit = match (told, unknown && !self.all) {
            (false, _) => Exit::Unavailable,
            (true, true) => Exit::No,
            (true, false) => Exit::Yes,
        };
        context.reply(exit, &revoked, |page| revoked.write(page, exit))
    }

    async fn revoke(&self, context: &Context) -> Result<RevocationReport, Failure> {
        let admin = admin(&self.settings)?;
        let reason = self.reason.into();
        if let Some(session) = &self.session {
            return Ok(admin.revoke_session(&self.subject, session, reason).await?);
        }
        let mut request = LogoutEverywhere::new(self.subject.clone()).reason(reason);
        if let Some(session) = self.except {
            request = request.except(session);
        }
        if let Some(text) = &self.before {
            let before = instants::parse(text, context.now());
            request =
                request.before(before.map_err(|problem| Failure::usage(problem).at("--before"))?);
        }
        Ok(admin.logout_everywhere(request).await?)
    }
}

impl Revoked<'_> {
    fn write(&self, page: &mut Page, exit: Exit) {
        let name = printable(self.subject.as_str());
        if exit == Exit::No {
            page.line(&format!("{name} has {}", page.paint.bad("no such session")));
            return;
        }
        let (now, before) = (self.revoked.len(), self.already_revoked.len());
        let sessions = if now == 1 { "session" } else { "sessions" };
        page.line(&format!("{name}: {now} {sessions} ended ({})", self.reason));
        page.rows(&self.revoked.iter().map(|id| (id.to_string(), "ended")).collect::<Vec<_>>());
        if before > 0 {
            page.line(&format!("{before} had been ended before, and keep their reasons"));
        }
        page.line(match self.told {
            true => "the servers are told",
            false => {
                "the servers are NOT told: access tokens go on until they expire. Run it again"
            }
        });
        if self.replicated == Some(false) {
            let warning = page.paint.warning("warning");
            page.line(&format!("{warning} too few replicas have it: a failover may undo it"));
        }
    }
}
