//! The facade of the core as a class.

use std::sync::Arc;

use napi::bindgen_prelude::{Either, PromiseRaw, Unknown, within_runtime_if_available};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi::{Env, JsString};
use napi_derive::napi;
use regrant::access::{VerifiedAccess, bearer_token};
use regrant::config::{AuthConfig, KeysConfig};
use regrant::migration::{SweepOptions, SweepReport};
use regrant::types::{Clock, SystemClock};
use regrant::{Auth, Result};

use crate::calls::{Calls, RefreshAsked};
use crate::checker::{self, Given};
use crate::clock::TestClock;
use crate::events::{self, Listener};
use crate::failure::{Failure, Outcome, json, text};
use crate::identity_resolver::{Resolver, Resolving};
use crate::log::{LogListener, Subscription};
use crate::metrics;
use crate::proof::PresentedProof;
use crate::token_text;

/// `Auth` of the core. Every method answers with text, mostly JSON, or with a [`Failure`].
#[napi]
pub struct NativeAuth {
    calls: Calls,
    /// Listens as long as there is something to hear.
    _log: Arc<Subscription>,
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
        identity_resolver: Option<Resolver>,
    ) -> Either<NativeAuth, Failure> {
        let clock =
            clock.map_or_else(|| Arc::new(SystemClock) as Arc<dyn Clock>, TestClock::shared);
        metrics::install();
        match build(&config, Arc::clone(&clock), on_event, identity_resolver) {
            Ok(auth) => Either::A(Self { calls: Calls { auth, clock }, _log: log.shared() }),
            Err(error) => Either::B(error.into()),
        }
    }

    /// The function that checks access tokens; see `checker`.
    #[napi(
        ts_return_type = "(((token: string, inFull?: boolean) => number | string | undefined) & { readonly numbers: Float64Array })"
    )]
    pub fn token_checker<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        checker::function(env, &self.calls.auth, Given::Token)
    }

    /// The function that checks the values of `Authorization` headers; see `checker`.
    #[napi(
        ts_return_type = "(((header: string, inFull?: boolean) => number | string | undefined) & { readonly numbers: Float64Array })"
    )]
    pub fn header_checker<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        checker::function(env, &self.calls.auth, Given::Header)
    }

    /// A kept token's number modulo this, a power of two, is its place; 0 where none is kept.
    #[napi(getter)]
    pub fn kept_places(&self) -> u32 {
        u32::try_from(self.calls.auth.cache_slots()).unwrap_or(0)
    }

    /// Verifies an access token. Answers with `[subject, sessionId, claims]`.
    #[napi(catch_unwind)]
    pub fn verify_access(&self, env: &Env, token: JsString<'_>) -> Outcome {
        text(token_text::with(env, token, |token| described(&self.calls.auth.verify(token)?)))
    }

    /// Verifies the access token in the value of an `Authorization` header. Answers with
    /// `[subject, sessionId, claims]`.
    #[napi(catch_unwind)]
    pub fn verify_bearer(&self, env: &Env, header: Option<JsString<'_>>) -> Outcome {
        text(match header {
            None => self.calls.auth.verify_bearer(None).and_then(|access| described(&access)),
            Some(header) => token_text::with(env, header, |header| {
                described(&self.calls.auth.verify_bearer(Some(header))?)
            }),
        })
    }

    /// Verifies an access token, and the proof of the key that it is bound to. Answers with
    /// `[subject, sessionId, claims]`.
    #[napi(catch_unwind)]
    pub fn verify_with_proof(&self, token: String, proof: PresentedProof) -> Outcome {
        let access = self.calls.verify_with_proof(&token, &proof);
        text(access.and_then(|access| described(&access)))
    }

    /// Checks a proof and does not use it up. Answers with nothing.
    #[napi(catch_unwind)]
    pub fn check_proof(&self, proof: PresentedProof) -> Outcome {
        text(proof.check(&self.calls.auth).map(|_| String::new()))
    }

    /// Whether proofs of keys are checked here.
    #[napi(getter)]
    pub fn checks_proofs(&self) -> bool {
        self.calls.auth.checks_proofs()
    }

    /// The nonce for the header `DPoP-Nonce`, where proofs need one.
    #[napi(getter, catch_unwind)]
    pub fn proof_nonce(&self) -> Option<String> {
        self.calls.auth.proof_nonce()
    }

    /// Verifies an access token where revocations by other processes must be known. Answers with
    /// `[subject, sessionId, claims]`.
    #[napi]
    pub fn verify_checked<'env>(
        &self,
        env: &'env Env,
        token: String,
        stale_policy: String,
        proof: Option<PresentedProof>,
    ) -> napi::Result<PromiseRaw<'env, Outcome>> {
        self.promise(env, |calls| async move {
            let access = calls.verify_checked(&token, &stale_policy, proof).await;
            text(access.and_then(|access| described(&access)))
        })
    }

    /// Verifies an access token on another thread. Answers with `[subject, sessionId, claims]`.
    #[napi]
    pub fn verify_elsewhere<'env>(
        &self,
        env: &'env Env,
        token: String,
    ) -> napi::Result<PromiseRaw<'env, Outcome>> {
        self.promise(env, |calls| async move {
            text(calls.auth.verify(&token).and_then(|access| described(&access)))
        })
    }

    /// The public keys of access tokens, as the JSON text of a JWK Set.
    #[napi(catch_unwind)]
    pub fn jwks(&self) -> String {
        self.calls.auth.jwks()
    }

    /// Exchanges the keys for those of a configuration, JSON text. Answers with nothing.
    #[napi(catch_unwind)]
    pub fn set_keys(&self, config: String) -> Outcome {
        text(set_keys(&self.calls.auth, &config).map(|()| String::new()))
    }

    /// How far this process is behind the feed of revocations, in ms; null while unknown.
    #[napi]
    pub fn feed_lag(&self) -> Option<f64> {
        self.calls.auth.feed_lag().map(|lag| lag.as_secs_f64() * 1000.0)
    }

    /// The metrics of the process, in the text format of Prometheus.
    #[napi(catch_unwind)]
    pub fn metrics(&self) -> String {
        self.calls.auth.update_gauges();
        metrics::text()
    }

    /// The metrics of the process, as JSON.
    #[napi(catch_unwind)]
    pub fn metrics_snapshot(&self) -> Outcome {
        self.calls.auth.update_gauges();
        json(Ok(metrics::snapshot()))
    }

    /// How the store is doing.
    #[napi]
    pub fn health<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Outcome>> {
        self.promise(env, |calls| async move { json(Ok(calls.auth.health().await)) })
    }

    /// Begins a session.
    #[napi]
    pub fn login<'env>(
        &self,
        env: &'env Env,
        subject: String,
        device: Option<String>,
        claims: Option<String>,
        proof: Option<PresentedProof>,
    ) -> napi::Result<PromiseRaw<'env, Outcome>> {
        self.promise(
            env,
            |calls| async move { json(calls.login(subject, device, claims, proof).await) },
        )
    }

    /// Whose refresh token this is.
    #[napi]
    pub fn refresh_subject<'env>(
        &self,
        env: &'env Env,
        token: String,
    ) -> napi::Result<PromiseRaw<'env, Outcome>> {
        self.promise(env, |calls| async move {
            text(calls.auth.refresh_subject(&token).await.map(String::from))
        })
    }

    /// Exchanges a refresh token.
    #[napi]
    pub fn refresh<'env>(
        &self,
        env: &'env Env,
        token: String,
        asked: RefreshAsked,
    ) -> napi::Result<PromiseRaw<'env, Outcome>> {
        self.promise(env, |calls| async move { json(calls.refresh(&token, asked).await) })
    }

    /// Ends the session of a refresh token. Answers whether it was live.
    #[napi]
    pub fn logout<'env>(
        &self,
        env: &'env Env,
        token: String,
    ) -> napi::Result<PromiseRaw<'env, Outcome>> {
        self.promise(env, |calls| async move { json(calls.auth.logout(&token).await) })
    }

    /// Ends one session. Answers whether it was live.
    #[napi]
    pub fn revoke_session<'env>(
        &self,
        env: &'env Env,
        subject: String,
        session: String,
        reason: String,
    ) -> napi::Result<PromiseRaw<'env, Outcome>> {
        self.promise(env, |calls| async move {
            json(calls.revoke_session(subject, &session, &reason).await)
        })
    }

    /// Ends all sessions of a user, but perhaps one, or those from before an instant in ms.
    /// Answers how many were live.
    #[napi]
    pub fn logout_everywhere<'env>(
        &self,
        env: &'env Env,
        subject: String,
        except: Option<String>,
        before: Option<f64>,
        reason: Option<String>,
    ) -> napi::Result<PromiseRaw<'env, Outcome>> {
        self.promise(env, |calls| async move {
            json(calls.logout_everywhere(subject, except, before, reason).await)
        })
    }

    /// The sessions of a user.
    #[napi]
    pub fn sessions<'env>(
        &self,
        env: &'env Env,
        subject: String,
        current: Option<String>,
    ) -> napi::Result<PromiseRaw<'env, Outcome>> {
        self.promise(env, |calls| async move { json(calls.sessions(subject, current).await) })
    }

    /// Takes over all tokens of the old app and removes their keys. Calls `progress` with a report
    /// so far, as JSON, and answers with the last one.
    #[napi]
    pub fn sweep_old_tokens<'env>(
        &self,
        env: &'env Env,
        dry_run: bool,
        remove_dead: bool,
        #[napi(ts_arg_type = "((report: string) => void) | undefined | null")] progress: Option<
            Listener,
        >,
    ) -> napi::Result<PromiseRaw<'env, Outcome>> {
        let mut options = SweepOptions::default();
        options.dry_run = dry_run;
        options.remove_dead = remove_dead;
        self.promise(env, |calls| async move {
            let tell = |report: &SweepReport| {
                if let (Some(progress), Ok(text)) = (&progress, serde_json::to_string(report)) {
                    progress.call(text, ThreadsafeFunctionCallMode::NonBlocking);
                }
            };
            json(calls.auth.sweep_legacy_tokens(options, tell).await)
        })
    }
}

impl NativeAuth {
    /// Starts a call that goes on beside JavaScript.
    ///
    /// It owns what it uses, because JavaScript may let go of this object before it is done: a
    /// worker thread that is terminated, and a process that exits, finalize all their objects at
    /// once. The `async` methods that the macro offers borrow `self` all the same.
    fn promise<'env, F>(
        &self,
        env: &'env Env,
        call: impl FnOnce(Calls) -> F,
    ) -> napi::Result<PromiseRaw<'env, Outcome>>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let call = call(self.calls.clone());
        env.spawn_future(async move { Ok(call.await) })
    }
}

/// The token in the value of an `Authorization` header.
#[napi(catch_unwind)]
pub fn bearer(header: String) -> Outcome {
    text(bearer_token(&header).map(ToOwned::to_owned))
}

fn build(
    config: &str,
    clock: Arc<dyn Clock>,
    on_event: Option<Listener>,
    identity_resolver: Option<Resolver>,
) -> Result<Auth> {
    let mut builder = AuthConfig::from_json(config)?.builder()?.clock(clock);
    if let Some(listener) = on_event {
        builder = builder.on_event(events::forward(listener));
    }
    if let Some(resolver) = identity_resolver {
        builder = builder.identity_resolver(Resolving(resolver));
    }
    // The background work of the core runs where the async methods do.
    within_runtime_if_available(|| builder.build())
}

fn set_keys(auth: &Auth, config: &str) -> Result<()> {
    let keys = KeysConfig::from_json(config)?;
    auth.set_keys(keys.keyring()?, keys.refresh_keys()?)
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
