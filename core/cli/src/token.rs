//! `token check`: verifies a token as a server would.

use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use regrant::access::{AccessVerifier, VerifiedAccess};
use regrant::auth::{RefreshIntrospection, Renewal};
use regrant::config::AuthConfig;
use regrant::error::{Advice, Error, ErrorCode, Result};
use regrant::token::{DecodedToken, TYP_ACCESS, TYP_REFRESH, decode_unverified, is_typ};
use regrant::types::{Clock as _, SessionId, Subject, SystemClock, Timestamp};
use serde::Serialize;

use crate::decode::{Decode, Wanted, explain};
use crate::output::{Page, printable, rfc3339_and_distance};
use crate::settings::{STDIN, Settings, has_shared_store, read_token, require_existing_store};
use crate::{Context, Exit, Failure, Reply};

/// Looks into tokens, and checks them.
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    Decode(Decode),
    Check(Check),
}

impl Token {
    pub(crate) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        match self {
            Self::Decode(command) => command.run(context),
            Self::Check(command) => command.run(context),
        }
    }
}

/// Verifies a token as a server with this configuration would, and says what is wrong with it.
///
/// Changes nothing: a refresh token is not used up, and no session is revoked by it. Where there
/// is a store that other processes share, it is asked about the session as well. Exit status 1 when the token is refused.
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// The token, or - to read it from standard input, where other users of this machine cannot
    /// see it.
    #[arg(value_name = "TOKEN")]
    token: String,
    /// The kind that is expected; by default the kind that the token says it is of.
    #[arg(long = "as", value_enum, value_name = "KIND")]
    expected: Option<ExpectedType>,
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
    kind: Option<TokenType>,
    expected: ExpectedType,
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
    pub(crate) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        if self.token == STDIN && self.settings.takes_stdin() {
            return Err(Failure::usage("standard input cannot be both token and configuration"));
        }
        let text = read_token(&self.token)?;
        let config = self.settings.load()?.config;
        let decoded = decode_unverified(&text).ok();
        let kind = decoded.as_ref().map(TokenType::of);
        let by_type = match kind {
            Some(TokenType::Refresh) => ExpectedType::Refresh,
            _ => ExpectedType::Access,
        };
        let expected = self.expected.unwrap_or(by_type);
        let (keyring, policy) = (config.keys_config().keyring()?, config.access_policy()?);
        let ask_store = !self.offline && has_shared_store(&config);

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
fn alone(config: &AuthConfig, token: &str, expected: ExpectedType) -> Result<Passed> {
    match expected {
        ExpectedType::Access => {
            let clock = Arc::new(SystemClock);
            let verifier = AccessVerifier::new(
                config.keys_config().keyring()?,
                config.access_policy()?,
                clock,
            )?;
            verifier.verify(token).map(|access| access_passed(&access))
        }
        ExpectedType::Refresh => {
            let claims = config.verify_refresh_token_offline(token, SystemClock.now())?;
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
    expected: ExpectedType,
) -> Result<Result<Passed>, Failure> {
    require_existing_store(&config)?;
    let auth = config.builder()?.build()?;
    Ok(match expected {
        ExpectedType::Access => {
            auth.introspect_access(token).await.map(|access| access_passed(&access))
        }
        ExpectedType::Refresh => auth.introspect_refresh(token).await.map(refresh_passed),
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
                ExpectedType::Access => "an access token",
                ExpectedType::Refresh => "a refresh token",
            }
        )),
    }
    row("subject", checked.subject.as_ref().map(|subject| printable(subject.as_str()).into()));
    row("session", checked.session_id.map(|session| session.to_string()));
    row("issued", checked.issued_at.map(|at| rfc3339_and_distance(at, now)));
    row("expires", checked.expires_at.map(|at| rfc3339_and_distance(at, now)));
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

/// The two kinds that a server accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExpectedType {
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
}

/// The kind that the header announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenType {
    /// `at+jwt`.
    Access,
    /// `rt+jwt`.
    Refresh,
    /// No `typ`, or `JWT`: of an app that did not tell its tokens apart.
    Untyped,
    /// Another `typ`.
    Other,
}

impl TokenType {
    pub(crate) fn of(token: &DecodedToken) -> Self {
        match token.header().get("typ") {
            None => Self::Untyped,
            Some(typ) => match typ.as_str() {
                Some(typ) if is_typ(typ, TYP_ACCESS) => Self::Access,
                Some(typ) if is_typ(typ, TYP_REFRESH) => Self::Refresh,
                Some(typ) if is_typ(typ, "JWT") => Self::Untyped,
                _ => Self::Other,
            },
        }
    }

    /// With its article.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Access => "an access token",
            Self::Refresh => "a refresh token",
            Self::Untyped => "a token without a type",
            Self::Other => "a token of an unknown type",
        }
    }
}

/// The instant in a claim: seconds (RFC 7519 §2), but milliseconds in our refresh tokens.
pub(crate) fn claim_instant(token: &DecodedToken, claim: &str) -> Option<Timestamp> {
    let value = token.claims().get(claim)?;
    if TokenType::of(token) == TokenType::Refresh {
        return value.as_i64().map(Timestamp::from_millis);
    }
    match value.as_i64() {
        Some(seconds) => Some(Timestamp::from_seconds(seconds)),
        // The cast saturates, and `Timestamp` clamps further.
        #[allow(clippy::cast_possible_truncation)]
        None => value.as_f64().map(|seconds| Timestamp::from_millis((seconds * 1000.0) as i64)),
    }
}
