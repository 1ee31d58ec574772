//! `token`: decodes and verifies tokens.

use std::sync::Arc;

use clap::{Args, Subcommand};
use regrant::access::{AccessVerifier, VerifiedAccess};
use regrant::auth::{RefreshIntrospection, Renewal};
use regrant::config::AuthConfig;
use regrant::error::{Advice, Error, ErrorCode, Result};
use regrant::token::decode_unverified;
use regrant::types::{Clock as _, SessionId, Subject, SystemClock, Timestamp};
use serde::Serialize;

use crate::decode::{Decode, Expectation, ExpectedType, TokenType, explain};
use crate::output::{TextOutput, printable, rfc3339_and_distance};
use crate::settings::{STDIN, Settings, has_shared_store, read_token, require_existing_store};
use crate::{Context, Exit, Failure, Reply};

/// Decodes and verifies tokens.
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

/// Verifies a token as a server with this configuration would, and explains a rejection.
///
/// Changes nothing: a refresh token is not used, and reuse revokes no session. If there is a store
/// that other processes share, the session is checked too. Exit status 1 if the token is rejected.
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// The token, or - to read it from standard input. Other users of this machine can see
    /// arguments.
    #[arg(value_name = "TOKEN")]
    token: String,
    /// The expected type of token. By default the type in its header.
    #[arg(long = "as", value_enum, value_name = "TYPE")]
    expected: Option<ExpectedType>,
    /// Does not contact the store.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    settings: Settings,
}

/// A token whose signature and claims are valid.
struct Verified {
    subject: Subject,
    session: Option<SessionId>,
    issued_at: Option<Timestamp>,
    expires_at: Timestamp,
    renewal: Option<Renewal>,
    migrates: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checked {
    accepted: bool,
    /// The type in its header; `None` if it is not a token.
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
    /// What a refresh would return: `issued`, `reissued` or `kept`.
    renewal: Option<Renewal>,
    /// Whether a refresh would migrate the token of a legacy app.
    adopts: bool,
    /// Whether the session was checked in the store.
    store_asked: bool,
}

impl Check {
    pub(crate) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        if self.token == STDIN && self.settings.takes_stdin() {
            return Err(Failure::usage("standard input cannot be both token and configuration"));
        }
        let text = read_token(&self.token)?;
        let config = self.settings.load()?;
        let decoded = decode_unverified(&text).ok();
        let kind = decoded.as_ref().map(TokenType::of);
        let by_type = match kind {
            Some(TokenType::Refresh) => ExpectedType::Refresh,
            _ => ExpectedType::Access,
        };
        let expected = self.expected.unwrap_or(by_type);
        let (keyring, policy) = (config.keys_config().keyring()?, config.access_policy()?);
        let use_store = !self.offline && has_shared_store(&config);

        let outcome = match use_store {
            true => context.block_on(verify_with_store(config.clone(), &text, expected))?,
            false => verify_offline(&config, &text, expected),
        };
        let (verified, error) = match outcome {
            Ok(verified) => (Some(verified), None),
            // The store rejects a token whose signature and claims are valid, such as a revoked
            // one: an operator wants to know whose it is.
            Err(error) => (verify_offline(&config, &text, expected).ok(), Some(rejection(error)?)),
        };
        let expectation =
            Expectation { keyring: &keyring, policy: &policy, expected, now: context.now() };
        let checked = Checked {
            accepted: error.is_none(),
            kind,
            expected,
            code: error.as_ref().map(|error| error.code().as_str()),
            advice: error.as_ref().map(Error::advice),
            message: error.as_ref().map(ToString::to_string),
            explanation: match (&error, &decoded) {
                (Some(error), Some(token)) => explain(error, token, &expectation),
                _ => None,
            },
            subject: verified.as_ref().map(|token| token.subject.clone()),
            session_id: verified.as_ref().and_then(|token| token.session),
            issued_at: verified.as_ref().and_then(|token| token.issued_at),
            expires_at: verified.as_ref().map(|token| token.expires_at),
            renewal: verified.as_ref().and_then(|token| token.renewal),
            adopts: verified.is_some_and(|token| token.migrates),
            store_asked: use_store,
        };
        let exit = if checked.accepted { Exit::Yes } else { Exit::No };
        context.reply(exit, &checked, |out| write(&checked, context.now(), out))
    }
}

/// Separates the rejection of a token from a failure to check it.
fn rejection(error: Error) -> Result<Error, Failure> {
    match error.code() {
        ErrorCode::RefreshSuperseded => Ok(error),
        code if matches!(code.advice(), Advice::Retry | Advice::Fix) => Err(error.into()),
        _ => Ok(error),
    }
}

/// Verifies format, signature and claims.
fn verify_offline(config: &AuthConfig, token: &str, expected: ExpectedType) -> Result<Verified> {
    match expected {
        ExpectedType::Access => {
            let clock = Arc::new(SystemClock);
            let verifier = AccessVerifier::new(
                config.keys_config().keyring()?,
                config.access_policy()?,
                clock,
            )?;
            verifier.verify(token).map(|access| verified_access(&access))
        }
        ExpectedType::Refresh => {
            let claims = config.verify_refresh_token_offline(token, SystemClock.now())?;
            Ok(Verified {
                subject: claims.subject,
                session: Some(claims.session),
                issued_at: Some(claims.issued_at),
                expires_at: claims.expires_at,
                renewal: None,
                migrates: false,
            })
        }
    }
}

/// Verifies the token and its session.
async fn verify_with_store(
    config: AuthConfig,
    token: &str,
    expected: ExpectedType,
) -> Result<Result<Verified>, Failure> {
    require_existing_store(&config)?;
    let address = config.store_address().briefly();
    let auth = config.builder()?.store_at(address).build()?;
    Ok(match expected {
        ExpectedType::Access => {
            auth.introspect_access(token).await.map(|access| verified_access(&access))
        }
        ExpectedType::Refresh => auth.introspect_refresh(token).await.map(verified_refresh),
    })
}

fn verified_access(access: &VerifiedAccess) -> Verified {
    Verified {
        subject: access.subject().clone(),
        session: access.session(),
        issued_at: access.issued_at(),
        expires_at: access.expires_at(),
        renewal: None,
        migrates: false,
    }
}

fn verified_refresh(introspection: RefreshIntrospection) -> Verified {
    Verified {
        subject: introspection.subject,
        session: Some(introspection.session),
        issued_at: Some(introspection.issued_at),
        expires_at: introspection.expires_at,
        renewal: Some(introspection.renewal),
        migrates: introspection.migrates,
    }
}

fn write(checked: &Checked, now: Timestamp, out: &mut TextOutput) {
    let mut rows: Vec<(&str, String)> = Vec::new();
    let mut row = |name, value: Option<String>| rows.extend(value.map(|value| (name, value)));
    match (checked.code, &checked.message) {
        (Some(code), Some(message)) => {
            out.line(&format!("{} {code}: {message}", out.paint.bad("rejected")));
            row("advice", checked.advice.map(|advice| advice.to_string()));
            row("reason", checked.explanation.clone());
        }
        _ => out.line(&format!(
            "{} as {}",
            out.paint.good("accepted"),
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
        "refresh",
        checked.renewal.map(|renewal| {
            let answer = match renewal {
                Renewal::Rotated => "returns a new pair",
                Renewal::Replayed => "returns the same pair again",
                Renewal::Renewed => "returns an access token; rotation is off",
            };
            let migration = if checked.adopts { ", and migrates the token" } else { "" };
            format!("{answer}{migration}")
        }),
    );
    if !checked.store_asked {
        row("store", Some("not checked: the session may have been revoked".into()));
    }
    out.rows(&rows);
}
