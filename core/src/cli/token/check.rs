//! `token check`.

use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::explain::{Wanted, explain};
use super::kind::{Expected, Kind};
use crate::access::{AccessVerifier, VerifiedAccess};
use crate::auth::{RefreshIntrospection, Renewal};
use crate::cli::context::{Context, Reply};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::input;
use crate::cli::instants;
use crate::cli::page::{Page, printable};
use crate::cli::settings::Settings;
use crate::cli::store;
use crate::config::AuthConfig;
use crate::error::{Advice, Error, ErrorCode, Result};
use crate::session::RefreshClaims;
use crate::token::decode_unverified;
use crate::types::{Clock as _, SessionId, Subject, SystemClock, Timestamp};

/// Verifies a token as a server with this configuration would, and says what is wrong with it.
///
/// Changes nothing: a refresh token is not used up, and no session is revoked by it. Where there
/// is a store that other processes share, it is asked about the session as well. Exit status 1 when the token is refused.
#[derive(Args, Debug)]
pub(in crate::cli) struct Check {
    /// The token, or - to read it from standard input, where other users of this machine cannot
    /// see it.
    #[arg(value_name = "TOKEN")]
    token: String,
    /// The kind that is expected; by default the kind that the token says it is of.
    #[arg(long = "as", value_enum, value_name = "KIND")]
    expected: Option<Expected>,
    /// Looks at the token alone and leaves the store out.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    settings: Settings,
}

/// What is known of a token that passed.
struct Passed {
    subject: Subject,
    session: Option<SessionId>,
    issued_at: Option<Timestamp>,
    expires_at: Timestamp,
    renewal: Option<Renewal>,
    adopts: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    accepted: bool,
    /// The kind that it says it is of; `None` when it is no token at all.
    kind: Option<Kind>,
    expected: Expected,
    code: Option<&'static str>,
    advice: Option<Advice>,
    message: Option<String>,
    explanation: Option<String>,
    subject: Option<Subject>,
    session_id: Option<SessionId>,
    issued_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    /// How a refresh would be answered: `issued`, `reissued` or `kept`.
    renewal: Option<Renewal>,
    /// Whether a refresh would take the token over from the app that was here before.
    adopts: bool,
    /// Whether the store was asked.
    store_asked: bool,
}

impl Check {
    pub(super) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        if self.token == input::STDIN && self.settings.takes_stdin() {
            return Err(Failure::usage("standard input cannot be both token and configuration"));
        }
        let text = input::token(&self.token)?;
        let config = self.settings.load()?.config;
        let decoded = decode_unverified(&text).ok();
        let kind = decoded.as_ref().map(Kind::of);
        let by_type = match kind {
            Some(Kind::Refresh) => Expected::Refresh,
            _ => Expected::Access,
        };
        let expected = self.expected.unwrap_or(by_type);
        let (keyring, policy) = (config.keys_config().keyring()?, config.access.policy()?);
        let ask_store = !self.offline && store::is_there_to_ask(&config);

        let outcome = match ask_store {
            true => context.block_on(asked(config, &text, expected))?,
            false => alone(&config, &text, expected),
        };
        let (passed, error) = match outcome {
            Ok(passed) => (Some(passed), None),
            Err(error) => (None, Some(told(error)?)),
        };
        let wanted = Wanted { keyring: &keyring, policy: &policy, expected, now: context.now() };
        let checked = Checked {
            accepted: error.is_none(),
            kind,
            expected,
            code: error.as_ref().map(|error| error.code().as_str()),
            advice: error.as_ref().map(Error::advice),
            message: error.as_ref().map(ToString::to_string),
            explanation: match (&error, &decoded) {
                (Some(error), Some(token)) => explain(error, token, &wanted),
                _ => None,
            },
            subject: passed.as_ref().map(|passed| passed.subject.clone()),
            session_id: passed.as_ref().and_then(|passed| passed.session),
            issued_at: passed.as_ref().and_then(|passed| passed.issued_at),
            expires_at: passed.as_ref().map(|passed| passed.expires_at),
            renewal: passed.as_ref().and_then(|passed| passed.renewal),
            adopts: passed.is_some_and(|passed| passed.adopts),
            store_asked: ask_store,
        };
        let exit = if checked.accepted { Exit::Yes } else { Exit::No };
        context.reply(exit, &checked, |page| write(&checked, context.now(), page))
    }
}

/// What is an answer about the token; anything else keeps the command from answering.
fn told(error: Error) -> Result<Error, Failure> {
    match error.code() {
        ErrorCode::RefreshSuperseded => Ok(error),
        code if matches!(code.advice(), Advice::Retry | Advice::Fix) => Err(error.into()),
        _ => Ok(error),
    }
}

/// The token by itself: its form, its signature, its claims.
fn alone(config: &AuthConfig, token: &str, expected: Expected) -> Result<Passed> {
    match expected {
        Expected::Access => {
            let clock = Arc::new(SystemClock);
            let verifier = AccessVerifier::new(
                config.keys_config().keyring()?,
                config.access.policy()?,
                clock,
            )?;
            verifier.verify(token).map(|access| access_passed(&access))
        }
        Expected::Refresh => {
            let claims = RefreshClaims::verify(token, &config.keys_config().refresh_keys()?)?;
            if SystemClock.now() >= claims.expires_at {
                return Err(Error::RefreshExpired);
            }
            Ok(Passed {
                subject: claims.subject,
                session: Some(claims.session),
                issued_at: Some(claims.issued_at),
                expires_at: claims.expires_at,
                renewal: None,
                adopts: false,
            })
        }
    }
}

/// The token, and what the store knows of its session.
async fn asked(
    config: AuthConfig,
    token: &str,
    expected: Expected,
) -> Result<Result<Passed>, Failure> {
    store::existing(&config)?;
    let auth = config.builder()?.build()?;
    Ok(match expected {
        Expected::Access => {
            auth.introspect_access(token).await.map(|access| access_passed(&access))
        }
        Expected::Refresh => auth.introspect_refresh(token).await.map(refresh_passed),
    })
}

fn access_passed(access: &VerifiedAccess) -> Passed {
    Passed {
        subject: access.subject().clone(),
        session: access.session(),
        issued_at: access.issued_at(),
        expires_at: access.expires_at(),
        renewal: None,
        adopts: false,
    }
}

fn refresh_passed(preview: RefreshIntrospection) -> Passed {
    Passed {
        subject: preview.subject,
        session: Some(preview.session),
        issued_at: Some(preview.issued_at),
        expires_at: preview.expires_at,
        renewal: Some(preview.renewal),
        adopts: preview.migrates,
    }
}

fn write(checked: &Checked, now: Timestamp, page: &mut Page) {
    let mut rows: Vec<(&str, String)> = Vec::new();
    let mut row = |name, value: Option<String>| rows.extend(value.map(|value| (name, value)));
    match (checked.code, &checked.message) {
        (Some(code), Some(message)) => {
            page.line(&format!("{} {code}: {message}", page.paint.bad("refused")));
            row("advice", checked.advice.map(|advice| advice.to_string()));
            row("because", checked.explanation.clone());
        }
        _ => page.line(&format!(
            "{} as {}",
            page.paint.good("accepted"),
            match checked.expected {
                Expected::Access => "an access token",
                Expected::Refresh => "a refresh token",
            }
        )),
    }
    row("subject", checked.subject.as_ref().map(|subject| printable(subject.as_str()).into()));
    row("session", checked.session_id.map(|session| session.to_string()));
    row("issued", checked.issued_at.map(|at| instants::told(at, now)));
    row("expires", checked.expires_at.map(|at| instants::told(at, now)));
    row(
        "a refresh",
        checked.renewal.map(|renewal| {
            let answer = match renewal {
                Renewal::Rotated => "gives a new pair",
                Renewal::Replayed => "gives the same pair as a moment ago",
                Renewal::Renewed => "gives an access token; rotation is off",
            };
            let adoption = if checked.adopts { ", and takes the token over" } else { "" };
            format!("{answer}{adoption}")
        }),
    );
    if !checked.store_asked {
        row("store", Some("was not asked: whether the session was revoked is not known".into()));
    }
    page.rows(&rows);
}
