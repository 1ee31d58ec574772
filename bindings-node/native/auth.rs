//! The core's `Auth` as a class of JavaScript.

use std::sync::Arc;

use napi::Env;
use napi::bindgen_prelude::{Either, PromiseRaw, Unknown, within_runtime_if_available};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi_derive::napi;
use regrant::access::bearer_token;
use regrant::config::{AuthConfig, KeysConfig};
use regrant::http::WebPolicy;
use regrant::migration::{SweepOptions, SweepReport};
use regrant::store::{CustomStore, CustomStoreOptions};
use regrant::types::{Clock, SystemClock};
use regrant::{Auth, Result};

use crate::callbacks::{AsyncFunction, JsIdentityResolver, Listener, forward};
use crate::clock::TestClock;
use crate::error::{ErrorDto, NativeResult, json, text};
use crate::key_value::JsKeyValueStore;
use crate::log::{LogListener, Subscription};
use crate::metrics;
use crate::requests::{Calls, ClientInput, LoginInput, PresentedProof, RefreshInput};
use crate::verify::{self, InputKind, to_tuple_json};

/// `Auth` of the core. The methods return text, mostly JSON, or an [`ErrorDto`].
#[napi]
pub struct NativeAuth {
    pub(crate) calls: Calls,
    pub(crate) web: Arc<WebPolicy>,
    /// Keeps the listener subscribed as long as there is something to log.
    _log: Arc<Subscription>,
}

#[napi]
impl NativeAuth {
    /// The names of the options of the configuration.
    #[napi(catch_unwind)]
    pub fn option_names() -> Vec<String> {
        AuthConfig::option_names()
    }

    /// Checks the configuration, JSON text, and builds. Contacts no server; opens the file of a file
    /// store, and creates it where it is missing.
    #[napi(catch_unwind)]
    pub fn create(
        config: String,
        clock: Option<&TestClock>,
        log: &LogListener,
        #[napi(ts_arg_type = "((event: string) => void) | undefined | null")] on_event: Option<
            Listener,
        >,
        #[napi(ts_arg_type = "((value: string) => Promise<string>) | undefined | null")]
        identity_resolver: Option<AsyncFunction>,
        #[napi(ts_arg_type = "((call: string) => Promise<string>) | undefined | null")]
        key_value_store: Option<AsyncFunction>,
        #[napi(ts_arg_type = "((revoked: string) => void) | undefined | null")] on_revoked: Option<
            Listener,
        >,
    ) -> Either<NativeAuth, ErrorDto> {
        let test_clock = clock.map(TestClock::shared);
        metrics::install();
        let callbacks = (on_event, identity_resolver, key_value_store, on_revoked);
        match build(&config, test_clock.clone(), callbacks) {
            Ok((auth, web)) => {
                let clock = test_clock.unwrap_or_else(|| Arc::new(SystemClock));
                let calls = Calls { auth, clock };
                Either::A(Self { calls, web: Arc::new(web), _log: log.shared() })
            }
            Err(error) => Either::B(error.into()),
        }
    }

    /// This object with another `web`, which a configuration contains, JSON text.
    #[napi(catch_unwind)]
    pub fn with_web(&self, config: String) -> Either<NativeAuth, ErrorDto> {
        match AuthConfig::from_json(&config).and_then(|config| config.web_policy()) {
            Ok(web) => Either::A(Self {
                calls: self.calls.clone(),
                web: Arc::new(web),
                _log: Arc::clone(&self._log),
            }),
            Err(error) => Either::B(error.into()),
        }
    }

    /// The function that verifies access tokens; see [`verify::function`].
    #[napi(
        ts_return_type = "(((token: string, resend?: true) => number | string | undefined) & { readonly numbers: Float64Array })"
    )]
    pub fn token_verifier<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        verify::function(env, &self.calls.auth, InputKind::Token)
    }

    /// The function that verifies the values of `Authorization` headers; see [`verify::function`].
    #[napi(
        ts_return_type = "(((header: string, resend?: true) => number | string | undefined) & { readonly numbers: Float64Array })"
    )]
    pub fn header_verifier<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        verify::function(env, &self.calls.auth, InputKind::Header)
    }

    /// The number of cache slots, a power of two; 0 without a cache. A cache id modulo this is the
    /// slot.
    #[napi(getter)]
    pub fn cache_slots(&self) -> u32 {
        u32::try_from(self.calls.auth.cache_slots()).unwrap_or(0)
    }

    /// Verifies an access token that is bound to a key, and the proof of that key. Returns
    /// `[subject, sessionId, claims]`.
    #[napi(catch_unwind)]
    pub fn verify_with_proof(&self, token: String, proof: PresentedProof) -> NativeResult {
        let access = self.calls.auth.verify_with_proof(&token, &proof.into());
        text(access.and_then(|access| to_tuple_json(&access)))
    }

    /// Checks a proof and does not use it up. Returns an empty text.
    #[napi(catch_unwind)]
    pub fn check_proof(&self, proof: PresentedProof) -> NativeResult {
        text(self.calls.auth.check_proof(&proof.into()).map(|_| String::new()))
    }

    /// Whether proofs of keys are checked.
    #[napi(getter)]
    pub fn checks_proofs(&self) -> bool {
        self.calls.auth.checks_proofs()
    }

    /// The nonce for the header `DPoP-Nonce`, where proofs need one.
    #[napi(getter, catch_unwind)]
    pub fn proof_nonce(&self) -> Option<String> {
        self.calls.auth.proof_nonce()
    }

    /// Verifies an access token where revocations by other processes must be known. Returns
    /// `[subject, sessionId, claims]`.
    #[napi]
    pub fn verify_checked<'env>(
        &self,
        env: &'env Env,
        token: String,
        stale_policy: String,
        proof: Option<PresentedProof>,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.promise(env, |calls| async move {
            let access = calls.verify_checked(&token, &stale_policy, proof).await;
            text(access.and_then(|access| to_tuple_json(&access)))
        })
    }

    /// Verifies an access token on another thread. Returns `[subject, sessionId, claims]`.
    #[napi]
    pub fn verify_on_thread_pool<'env>(
        &self,
        env: &'env Env,
        token: String,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.promise(env, |calls| async move {
            text(calls.auth.verify(&token).and_then(|access| to_tuple_json(&access)))
        })
    }

    /// The public keys of access tokens, as the JSON text of a JWK Set.
    #[napi(catch_unwind)]
    pub fn jwks(&self) -> String {
        self.calls.auth.jwks()
    }

    /// Replaces the keys by those of a configuration, JSON text. Returns an empty text.
    #[napi(catch_unwind)]
    pub fn set_keys(&self, config: String) -> NativeResult {
        text(set_keys(&self.calls.auth, &config).map(|()| String::new()))
    }

    /// How far this process lags behind the revocation feed, in ms; null while unknown.
    #[napi]
    pub fn feed_lag(&self) -> Option<f64> {
        self.calls.auth.feed_lag().map(|lag| lag.as_secs_f64() * 1000.0)
    }

    /// The metrics of the process in the Prometheus text format.
    #[napi(catch_unwind)]
    pub fn metrics(&self) -> String {
        self.calls.auth.update_gauges();
        metrics::text()
    }

    /// The metrics of the process, as JSON.
    #[napi(catch_unwind)]
    pub fn metrics_snapshot(&self) -> NativeResult {
        self.calls.auth.update_gauges();
        json(Ok(metrics::snapshot()))
    }

    /// The health of the store.
    #[napi]
    pub fn health<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.promise(env, |calls| async move { json(Ok(calls.auth.health().await)) })
    }

    /// Starts a session.
    #[napi]
    pub fn login<'env>(
        &self,
        env: &'env Env,
        subject: String,
        input: LoginInput,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.promise(env, |calls| async move { json(calls.login(subject, input).await) })
    }

    /// Issues an access token without a session.
    #[napi(catch_unwind)]
    pub fn issue_access_token(
        &self,
        subject: String,
        #[napi(ts_arg_type = "string | undefined")] claims: Option<String>,
    ) -> NativeResult {
        json(self.calls.issue_access_token(subject, claims))
    }

    /// Whose session a refresh token belongs to, and the app's claims that it has so far.
    #[napi]
    pub fn refresh_identity<'env>(
        &self,
        env: &'env Env,
        token: String,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.promise(env, |calls| async move { json(calls.auth.refresh_identity(&token).await) })
    }

    /// Exchanges a refresh token.
    #[napi]
    pub fn refresh<'env>(
        &self,
        env: &'env Env,
        token: String,
        input: RefreshInput,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.promise(env, |calls| async move { json(calls.refresh(&token, input).await) })
    }

    /// Revokes the session of a refresh token. Returns whether it was live.
    #[napi]
    pub fn logout<'env>(
        &self,
        env: &'env Env,
        token: String,
        proof: Option<PresentedProof>,
        client: ClientInput,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.promise(env, |calls| async move { json(calls.logout(&token, proof, client).await) })
    }

    /// Replaces the claims of a session, JSON text of an object. Returns whether it is live.
    #[napi]
    pub fn update_session<'env>(
        &self,
        env: &'env Env,
        subject: String,
        session: String,
        claims: String,
        at_once: bool,
        client: ClientInput,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.promise(env, |calls| async move {
            json(calls.update_session(subject, &session, claims, at_once, client).await)
        })
    }

    /// Revokes one session. Returns whether it was live.
    #[napi]
    pub fn revoke_session<'env>(
        &self,
        env: &'env Env,
        subject: String,
        session: String,
        reason: String,
        client: ClientInput,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.promise(env, |calls| async move {
            json(calls.revoke_session(subject, &session, &reason, client).await)
        })
    }

    /// Revokes the sessions of a user: all, all except one, or those from before an instant in ms.
    /// Returns how many were live.
    #[napi]
    pub fn logout_everywhere<'env>(
        &self,
        env: &'env Env,
        subject: String,
        except: Option<String>,
        before: Option<f64>,
        reason: Option<String>,
        client: ClientInput,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.promise(env, |calls| async move {
            json(calls.logout_everywhere(subject, except, before, reason, client).await)
        })
    }

    /// The sessions of a user.
    #[napi]
    pub fn sessions<'env>(
        &self,
        env: &'env Env,
        subject: String,
        current: Option<String>,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.promise(env, |calls| async move { json(calls.sessions(subject, current).await) })
    }

    /// Imports all refresh tokens of the legacy app and removes their keys. Calls `progress` with
    /// the report so far, as JSON, and returns the last one.
    #[napi]
    pub fn sweep_legacy_tokens<'env>(
        &self,
        env: &'env Env,
        dry_run: bool,
        remove_dead: bool,
        #[napi(ts_arg_type = "((report: string) => void) | undefined | null")] progress: Option<
            Listener,
        >,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        let mut options = SweepOptions::default();
        options.dry_run = dry_run;
        options.remove_dead = remove_dead;
        self.promise(env, |calls| async move {
            let report_progress = |report: &SweepReport| {
                if let (Some(progress), Ok(text)) = (&progress, serde_json::to_string(report)) {
                    progress.call(text, ThreadsafeFunctionCallMode::NonBlocking);
                }
            };
            json(calls.auth.sweep_legacy_tokens(options, report_progress).await)
        })
    }
}

impl NativeAuth {
    /// Starts an asynchronous call.
    ///
    /// It owns what it uses, because this object may be finalized before the call is done, for
    /// example when a worker thread is terminated or the process exits. The `async` methods of the
    /// macro borrow `self`.
    fn promise<'env, F>(
        &self,
        env: &'env Env,
        call: impl FnOnce(Calls) -> F,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>>
    where
        F: Future<Output = NativeResult> + Send + 'static,
    {
        let call = call(self.calls.clone());
        env.spawn_future(async move { Ok(call.await) })
    }
}

/// The token in the value of an `Authorization` header.
#[napi(catch_unwind)]
pub fn bearer(header: String) -> NativeResult {
    text(bearer_token(&header).map(ToOwned::to_owned))
}

/// Without a clock for tests, the time of a store is that of its server.
fn build(
    config: &str,
    test_clock: Option<Arc<dyn Clock>>,
    (on_event, identity_resolver, key_value_store, on_revoked): (
        Option<Listener>,
        Option<AsyncFunction>,
        Option<AsyncFunction>,
        Option<Listener>,
    ),
) -> Result<(Auth, WebPolicy)> {
    let config = AuthConfig::from_json(config)?;
    let web = config.web_policy()?;
    let address = config.store_address();
    let mut builder = config.builder()?;
    if let Some(clock) = &test_clock {
        builder = builder.clock(Arc::clone(clock));
    }
    if let Some(functions) = key_value_store {
        let mut options = CustomStoreOptions::default();
        if let Some(clock) = &test_clock {
            options.clock = Arc::clone(clock);
        }
        let store = Arc::new(CustomStore::new(Arc::new(JsKeyValueStore(functions)), options));
        builder = builder.shared_store(address.moved_to(store, test_clock)?);
    }
    if let Some(listener) = on_event {
        builder = builder.on_event(forward(listener));
    }
    if let Some(listener) = on_revoked {
        builder = builder.on_revoked(forward(listener));
    }
    if let Some(resolver) = identity_resolver {
        builder = builder.identity_resolver(JsIdentityResolver(resolver));
    }
    // The background work of the core runs where the async methods do.
    Ok((within_runtime_if_available(|| builder.build())?, web))
}

fn set_keys(auth: &Auth, config: &str) -> Result<()> {
    let keys = KeysConfig::from_json(config)?;
    auth.set_keys(keys.keyring()?, keys.refresh_keys()?)
}
