//! The facade of the core as a class.

use std::sync::Arc;

use napi::bindgen_prelude::{Either, Unknown, within_runtime_if_available};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi::{Env, JsString};
use napi_derive::napi;
use regrant::access::{VerifiedAccess, bearer_token};
use regrant::auth::{SweepOptions, SweepReport};
use regrant::config::AuthConfig;
use regrant::session::DeviceLabel;
use regrant::time::{Clock, SystemClock, Timestamp};
use regrant::{Auth, Login, LogoutEverywhere, RefreshRequest, Result};
use serde::Serialize;

use crate::checker::{self, Given};
use crate::clock::TestClock;
use crate::events::{self, Listener};
use crate::failure::{Failure, Outcome, json, text};
use crate::input;
use crate::log::{LogListener, Subscription};
use crate::metrics;
use crate::old_users::{Resolver, Resolving};
use crate::token_text;

/// `Auth` of the core. Every method answers with text, mostly JSON, or with a [`Failure`].
#[napi]
pub struct NativeAuth {
    auth: Auth,
    clock: Arc<dyn Clock>,
    /// Listens as long as there is something to hear.
    _log: Arc<Subscription>,
}

/// Tokens, and the time on the clock that their expiries go by.
#[derive(Serialize)]
struct AsOf<T> {
    now: Timestamp,
    #[serde(flatten)]
    tokens: T,
}

#[napi]
impl NativeAuth {
    /// Checks the configuration, JSON text, and builds. Does no I/O.
    #[napi(catch_unwind)]
    pub fn create(
        config: String,
        clock: Option<&TestClock>,
        log: &LogListener,
        #[napi(ts_arg_type = "((event: string) => void) | undefined | null")] on_event: Option<
            Listener,
        >,
        #[napi(ts_arg_type = "((value: string) => Promise<string>) | undefined | null")]
        old_users: Option<Resolver>,
    ) -> Either<NativeAuth, Failure> {
        let clock =
            clock.map_or_else(|| Arc::new(SystemClock) as Arc<dyn Clock>, TestClock::shared);
        metrics::install();
        match build(&config, Arc::clone(&clock), on_event, old_users) {
            Ok(auth) => Either::A(Self { auth, clock, _log: log.shared() }),
            Err(error) => Either::B(error.into()),
        }
    }

    /// The function that checks access tokens; see `checker`.
    #[napi(ts_return_type = "(token: string, inFull?: boolean) => number | string | undefined")]
    pub fn token_checker<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        checker::function(env, &self.auth, Given::Token)
    }

    /// The function that checks the values of `Authorization` headers; see `checker`.
    #[napi(ts_return_type = "(header: string, inFull?: boolean) => number | string | undefined")]
    pub fn header_checker<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        checker::function(env, &self.auth, Given::Header)
    }

    /// How many verified tokens are kept; a kept token's number modulo this is its place.
    #[napi(getter)]
    pub fn kept_places(&self) -> u32 {
        u32::try_from(self.auth.kept_places()).unwrap_or(0)
    }

    /// Verifies an access token. Answers with `[subject, sessionId, claims]`.
    #[napi(catch_unwind)]
    pub fn verify_access(&self, env: &Env, token: JsString<'_>) -> Outcome {
        text(token_text::with(env, token, |token| described(&self.auth.verify(token)?)))
    }

    /// Verifies the access token in the value of an `Authorization` header. Answers with
    /// `[subject, sessionId, claims]`.
    #[napi(catch_unwind)]
    pub fn verify_bearer(&self, env: &Env, header: Option<JsString<'_>>) -> Outcome {
        text(match header {
            None => self.auth.verify_bearer(None).and_then(|access| described(&access)),
            Some(header) => token_text::with(env, header, |header| {
                described(&self.auth.verify_bearer(Some(header))?)
            }),
        })
    }

    /// Verifies an access token where revocations by other processes must be known. Answers with
    /// `[subject, sessionId, claims]`.
    #[napi]
    pub async fn verify_fresh(&self, token: String, when_stale: String) -> Outcome {
        text(match input::when_stale(&when_stale) {
            Ok(when) => self.auth.verify_fresh(&token, when).await.and_then(|a| described(&a)),
            Err(error) => Err(error),
        })
    }

    /// How far this process is behind the feed of revocations, in ms; null while unknown.
    #[napi]
    pub fn feed_lag(&self) -> Option<f64> {
        self.auth.feed_lag().map(|lag| lag.as_secs_f64() * 1000.0)
    }

    /// The metrics of the process, in the text format of Prometheus.
    #[napi(catch_unwind)]
    pub fn metrics(&self) -> String {
        self.auth.update_gauges();
        metrics::text()
    }

    /// The metrics of the process, as JSON.
    #[napi(catch_unwind)]
    pub fn metrics_snapshot(&self) -> Outcome {
        self.auth.update_gauges();
        json(Ok(metrics::snapshot()))
    }

    /// How the store is doing.
    #[napi]
    pub async fn health(&self) -> Outcome {
        json(Ok(self.auth.health().await))
    }

    /// Begins a session.
    #[napi]
    pub async fn login(
        &self,
        subject: String,
        device: Option<String>,
        claims: Option<String>,
    ) -> Outcome {
        json(self.issue(subject, device, claims).await)
    }

    /// Whose refresh token this is.
    #[napi]
    pub async fn refresh_subject(&self, token: String) -> Outcome {
        text(self.auth.refresh_subject(&token).await.map(String::from))
    }

    /// Exchanges a refresh token.
    #[napi]
    pub async fn refresh(
        &self,
        token: String,
        expected: Option<String>,
        rotate: Option<bool>,
        claims: Option<String>,
    ) -> Outcome {
        json(self.renew(&token, expected, rotate, claims).await)
    }

    /// Ends the session of a refresh token. Answers whether it was live.
    #[napi]
    pub async fn logout(&self, token: String) -> Outcome {
        json(self.auth.logout(&token).await)
    }

    /// Ends one session. Answers whether it was live.
    #[napi]
    pub async fn revoke_session(
        &self,
        subject: String,
        session: String,
        reason: String,
    ) -> Outcome {
        json(self.revoke(subject, &session, &reason).await)
    }

    /// Ends all sessions of a user, but perhaps one, or those from before an instant in ms.
    /// Answers how many were live.
    #[napi]
    pub async fn logout_everywhere(
        &self,
        subject: String,
        except: Option<String>,
        before: Option<f64>,
        reason: Option<String>,
    ) -> Outcome {
        json(match everywhere(subject, except, before, reason) {
            Ok(request) => self.auth.logout_everywhere(request).await,
            Err(error) => Err(error),
        })
    }

    /// The sessions of a user.
    #[napi]
    pub async fn sessions(&self, subject: String, current: Option<String>) -> Outcome {
        json(self.list(subject, current).await)
    }

    /// Takes over all tokens of the old app and removes their keys. Calls `progress` with a report
    /// so far, as JSON, and answers with the last one.
    #[napi]
    pub async fn sweep_old_tokens(
        &self,
        dry_run: bool,
        remove_dead: bool,
        #[napi(ts_arg_type = "((report: string) => void) | undefined | null")] progress: Option<
            Listener,
        >,
    ) -> Outcome {
        let mut options = SweepOptions::default();
        options.dry_run = dry_run;
        options.remove_dead = remove_dead;
        let tell = |report: &SweepReport| {
            if let (Some(progress), Ok(text)) = (&progress, serde_json::to_string(report)) {
                progress.call(text, ThreadsafeFunctionCallMode::NonBlocking);
            }
        };
        json(self.auth.sweep_old_tokens(options, tell).await)
    }
}

/// The token in the value of an `Authorization` header.
#[napi(catch_unwind)]
pub fn bearer(header: String) -> Outcome {
    text(bearer_token(&header).map(ToOwned::to_owned))
}

impl NativeAuth {
    async fn issue(
        &self,
        subject: String,
        device: Option<String>,
        claims: Option<String>,
    ) -> Result<impl Serialize + use<>> {
        let login = Login::new(input::subject(subject)?)
            .device(DeviceLabel::lossy(&device.unwrap_or_default()))
            .claims(input::claims(claims)?);
        let tokens = self.auth.login(login).await?;
        Ok(AsOf { now: self.clock.now(), tokens })
    }

    async fn renew(
        &self,
        token: &str,
        expected: Option<String>,
        rotate: Option<bool>,
        claims: Option<String>,
    ) -> Result<impl Serialize + use<>> {
        let mut request = RefreshRequest::new(token).claims(input::claims(claims)?);
        if let Some(expected) = expected {
            request = request.expect_subject(input::subject(expected)?);
        }
        if let Some(rotate) = rotate {
            request = request.rotate(rotate);
        }
        let tokens = self.auth.refresh(request).await?;
        Ok(AsOf { now: self.clock.now(), tokens })
    }

    async fn revoke(&self, subject: String, session: &str, reason: &str) -> Result<bool> {
        let (subject, session) = (input::subject(subject)?, input::session_id(session)?);
        self.auth.revoke_session(&subject, &session, input::reason(reason)?).await
    }

    async fn list(
        &self,
        subject: String,
        current: Option<String>,
    ) -> Result<impl Serialize + use<>> {
        let current = current.as_deref().map(input::session_id).transpose()?;
        self.auth.sessions(&input::subject(subject)?, current.as_ref()).await
    }
}

fn everywhere(
    subject: String,
    except: Option<String>,
    before: Option<f64>,
    reason: Option<String>,
) -> Result<LogoutEverywhere> {
    let mut request = LogoutEverywhere::new(input::subject(subject)?);
    if let Some(session) = except {
        request = request.except(input::session_id(&session)?);
    }
    if let Some(instant) = before {
        request = request.before(input::instant(instant, "before")?);
    }
    if let Some(name) = reason {
        request = request.reason(input::reason(&name)?);
    }
    Ok(request)
}

fn build(
    config: &str,
    clock: Arc<dyn Clock>,
    on_event: Option<Listener>,
    old_users: Option<Resolver>,
) -> Result<Auth> {
    let mut builder = AuthConfig::from_json(config)?.builder()?.clock(clock);
    if let Some(listener) = on_event {
        builder = builder.on_event(events::forward(listener));
    }
    if let Some(resolver) = old_users {
        builder = builder.old_users(Resolving(resolver));
    }
    // The background work of the core runs where the async methods do.
    within_runtime_if_available(|| builder.build())
}

/// `[subject, sessionId, claims]` without reading the claims once more.
pub fn described(access: &VerifiedAccess) -> Result<String> {
    let names = (access.subject(), access.session());
    let mut described = serde_json::to_string(&names)
        .map_err(|_| regrant::Error::internal("a subject cannot be serialized"))?;
    described.pop();
    described.push(',');
    described.push_str(access.payload());
    described.push(']');
    Ok(described)
}
