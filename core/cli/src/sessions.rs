//! `sessions`: lists and revokes the sessions of a user, and copies those of all.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use regrant::LogoutEverywhere;
use regrant::auth::{RevocationReport, SessionAdmin, SessionInfo, SessionStatus};
use regrant::types::{RevocationReason, SessionId, Subject};
use serde::Serialize;

use crate::copy::CopyAll;
use crate::output::{TextOutput, distance, parse_instant, print_message, printable, rfc3339};
use crate::settings::{Settings, parse_session, parse_subject, require_existing_store};
use crate::{Context, Exit, Failure, Reply};

/// Lists, revokes and copies sessions. Needs no secret.
#[derive(Debug, Subcommand)]
pub(crate) enum Sessions {
    List(List),
    Revoke(Revoke),
    Copy(CopyAll),
}

/// How long a revocation is published at least. The lifetime of the servers' access tokens may not be
/// known here. Too short a time would let them be accepted again; a longer one costs the servers a few
/// bytes per session.
const PUBLISH_FOR: Duration = Duration::from_secs(24 * 3600);

impl Sessions {
    pub(crate) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        match self {
            Self::List(command) => command.run(context),
            Self::Revoke(command) => command.run(context),
            Self::Copy(command) => command.run(context),
        }
    }
}

fn admin(settings: &Settings) -> Result<SessionAdmin, Failure> {
    let config = settings.load()?;
    require_existing_store(&config)?;
    Ok(config.session_admin()?.publish_for_at_least(PUBLISH_FOR))
}

/// What to try where a user has no session: the servers may have another realm.
fn hint_of_realm(settings: &Settings) -> Option<String> {
    let realm = settings.load().ok()?.realms().ok()?.current;
    Some(match realm.name() {
        "" => "Servers with an issuer or an audience have a realm: name it with --realm".to_owned(),
        name => format!("Looked in the realm {}", printable(name)),
    })
}

/// Lists the live sessions of a user, and the revoked ones with the reason.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// The user's id, as the app passes it to login.
    #[arg(value_parser = parse_subject)]
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
    pub(crate) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        let sessions = context
            .block_on(async { Ok(admin(&self.settings)?.sessions(&self.subject, None).await?) })?;
        let listed = Listed { subject: &self.subject, sessions };
        context.reply(Exit::Yes, &listed, |out| {
            let now = context.now();
            let live = listed.sessions.iter().filter(|info| info.status == SessionStatus::Live);
            let (live, all) = (live.count(), listed.sessions.len());
            let name = printable(self.subject.as_str());
            out.line(&format!("{name}: {live} live, {} revoked", all - live));
            let rows: Vec<_> = listed.sessions.iter().map(|info| row(info, now)).collect();
            out.table(["session", "device", "state", "created", "last refreshed"], &rows);
            if rows.is_empty()
                && let Some(hint) = hint_of_realm(&self.settings)
            {
                out.line(&hint);
            }
        })
    }
}

fn row(info: &SessionInfo, now: regrant::types::Timestamp) -> [String; 5] {
    let state = match info.status {
        SessionStatus::Live => format!("live, expires {}", distance(info.expires_at, now)),
        SessionStatus::Revoked { reason, ended_at } => {
            format!("revoked {} ({reason})", distance(ended_at, now))
        }
    };
    let device = if info.device.is_empty() { "-".into() } else { printable(&info.device) };
    [
        info.id.to_string(),
        device.into_owned(),
        state,
        rfc3339(info.created_at),
        distance(info.last_refreshed_at, now),
    ]
}

/// Revokes one session of a user, or all of them.
///
/// Refresh tokens are rejected at once, access tokens as soon as the servers have read the revocation
/// feed, within a second. Revoking a session again does no harm. Exit status 1 if the user has no
/// such session, 3 if the revocation could not be published: run it again.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("which").required(true).args(["session", "all"])))]
// clap would put the group before the subject.
#[command(override_usage = "regrant sessions revoke [OPTIONS] <SUBJECT> <SESSION|--all>")]
pub(crate) struct Revoke {
    /// The user's id, as the app passes it to login.
    #[arg(value_parser = parse_subject)]
    subject: Subject,
    /// The session id, from `sessions list`.
    #[arg(value_parser = parse_session, allow_hyphen_values = true)]
    session: Option<SessionId>,
    /// All sessions of the user.
    #[arg(long)]
    all: bool,
    /// Keeps this session.
    #[arg(long, value_name = "SESSION", requires = "all", conflicts_with = "session")]
    #[arg(value_parser = parse_session, allow_hyphen_values = true)]
    except: Option<SessionId>,
    /// Only sessions created before this time (2026-01-31T09:30:00Z), or before this long ago (2h).
    #[arg(long, value_name = "INSTANT", requires = "all", conflicts_with = "session")]
    before: Option<String>,
    /// The reason, which is stored and reported to the client.
    #[arg(long, value_enum, default_value_t = Reason::Administrative)]
    reason: Reason,
    #[command(flatten)]
    settings: Settings,
}

/// The reasons that an operator can give. The others are set by servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Reason {
    /// Revoked by an operator or the app.
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
struct RevokeReport<'a> {
    subject: &'a Subject,
    reason: RevocationReason,
    revoked: Vec<SessionId>,
    already_revoked: Vec<SessionId>,
    told: bool,
    replicated: Option<bool>,
}

impl Revoke {
    pub(crate) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        let report = context.block_on(self.revoke(context))?;
        let told = match report.published {
            Ok(()) => true,
            Err(error) => {
                print_message(&Failure::from(error).render(context.json));
                false
            }
        };
        let revoked = RevokeReport {
            subject: &self.subject,
            reason: self.reason.into(),
            revoked: report.revoked,
            already_revoked: report.already_revoked,
            told,
            replicated: report.replicated,
        };
        let unknown = revoked.revoked.is_empty() && revoked.already_revoked.is_empty();
        let exit = match (told, unknown && !self.all) {
            (false, _) => Exit::Unavailable,
            (true, true) => Exit::No,
            (true, false) => Exit::Yes,
        };
        context.reply(exit, &revoked, |out| {
            revoked.write(out, exit);
            if unknown && let Some(hint) = hint_of_realm(&self.settings) {
                out.line(&hint);
            }
        })
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
            let before = parse_instant(text, context.now());
            request =
                request.before(before.map_err(|problem| Failure::usage(problem).at("--before"))?);
        }
        Ok(admin.logout_everywhere(request).await?)
    }
}

impl RevokeReport<'_> {
    fn write(&self, out: &mut TextOutput, exit: Exit) {
        let name = printable(self.subject.as_str());
        if exit == Exit::No {
            out.line(&format!("{name} has {}", out.paint.bad("no such session")));
            return;
        }
        let (count, before) = (self.revoked.len(), self.already_revoked.len());
        let sessions = if count == 1 { "session" } else { "sessions" };
        out.line(&format!("{name}: {count} {sessions} revoked ({})", self.reason));
        out.rows(&self.revoked.iter().map(|id| (id.to_string(), "revoked")).collect::<Vec<_>>());
        if before > 0 {
            out.line(&format!("{before} already revoked; their reasons are kept"));
        }
        out.line(match self.told {
            true => "published to the servers",
            false => {
                "NOT published to the servers: access tokens are accepted until they expire. Run it again"
            }
        });
        if self.replicated == Some(false) {
            let warning = out.paint.warning("warning");
            out.line(&format!(
                "{warning} too few replicas acknowledged it: a failover may lose the revocation"
            ));
        }
    }
}
