//! The verifier of tokens of other services as a class.

use std::sync::Arc;

use async_trait::async_trait;
use napi::bindgen_prelude::{Either, Promise, PromiseRaw, within_runtime_if_available};
use napi::threadsafe_function::ThreadsafeFunction;
use napi::{Env, JsString, Status};
use napi_derive::napi;
use regrant::Result;
use regrant::access::VerifiedAccess;
use regrant::config::IssuersConfig;
use regrant::error::Cause;
use regrant::http::{HttpRequest, HttpResponse, Transport};
use regrant::jwks::JwksVerifier;
use regrant::types::{Clock, SystemClock};
use serde::Deserialize;

use crate::auth::described;
use crate::clock::TestClock;
use crate::failure::{Failure, Outcome, text};
use crate::log::{LogListener, Subscription};
use crate::proof::PresentedProof;
use crate::token_text;

/// Called with an address; its promise gives an [`Answer`] as JSON text and is never rejected.
/// Weak: a fetch that nobody waits for keeps no process alive.
type Fetcher = ThreadsafeFunction<String, Promise<String>, String, Status, false, true>;

/// What came of a fetch.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Answer {
    Response { status: u16, headers: Vec<(String, String)>, body: String },
    Failed(String),
}

/// The app's way to fetch.
struct Fetching(Fetcher);

impl std::fmt::Debug for Fetching {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fetching")
    }
}

#[async_trait]
impl Transport for Fetching {
    async fn send(&self, request: HttpRequest) -> std::result::Result<HttpResponse, Cause> {
        let answer = self.0.call_async(request.url).await?.await?;
        match serde_json::from_str(&answer)? {
            Answer::Response { status, headers, body } => {
                Ok(HttpResponse { status, headers, body: body.into_bytes() })
            }
            Answer::Failed(why) => Err(why.into()),
        }
    }
}

/// `JwksVerifier` of the core. Every method answers with `[subject, sessionId, claims]` as JSON
/// text, or with a [`Failure`].
#[napi]
pub struct NativeIssuers {
    issuers: JwksVerifier,
    /// Listens as long as there is something to hear.
    _log: Arc<Subscription>,
}

#[napi]
impl NativeIssuers {
    /// Checks the configuration, JSON text, and builds. Does no I/O.
    #[napi(catch_unwind)]
    pub fn create(
        config: String,
        clock: Option<&TestClock>,
        log: &LogListener,
        #[napi(ts_arg_type = "(url: string) => Promise<string>")] fetcher: Fetcher,
    ) -> Either<NativeIssuers, Failure> {
        let clock =
            clock.map_or_else(|| Arc::new(SystemClock) as Arc<dyn Clock>, TestClock::shared);
        match build(&config, clock, fetcher) {
            Ok(issuers) => Either::A(Self { issuers, _log: log.shared() }),
            Err(error) => Either::B(error.into()),
        }
    }

    /// Verifies by the keys at hand. Null where waiting for others may change the answer.
    #[napi(catch_unwind)]
    pub fn try_verify(&self, env: &Env, token: JsString<'_>) -> Option<Outcome> {
        let outcome = token_text::with(env, token, |token| {
            self.issuers.try_verify(token).map(|access| described(&access?)).transpose()
        });
        outcome.transpose().map(text)
    }

    /// Verifies by the keys at hand, whatever they are.
    #[napi(catch_unwind)]
    pub fn verify(&self, env: &Env, token: JsString<'_>) -> Outcome {
        text(token_text::with(env, token, |token| described(&self.issuers.verify_cached(token)?)))
    }

    /// Verifies, and waits for keys where that is needed.
    #[napi]
    pub fn verify_or_fetch<'env>(
        &self,
        env: &'env Env,
        token: String,
    ) -> napi::Result<PromiseRaw<'env, Outcome>> {
        let issuers = self.issuers.clone();
        env.spawn_future(async move {
            let access: Result<VerifiedAccess> = issuers.verify(&token).await;
            Ok(text(access.and_then(|access| described(&access))))
        })
    }

    /// Verifies, and that the proof is by the key that the token is bound to.
    #[napi]
    pub fn verify_with_proof<'env>(
        &self,
        env: &'env Env,
        token: String,
        proof: PresentedProof,
    ) -> napi::Result<PromiseRaw<'env, Outcome>> {
        let issuers = self.issuers.clone();
        env.spawn_future(async move {
            let access = async {
                let proof = issuers.check_proof(&proof.proof, &proof.method, &proof.path)?;
                described(&issuers.verify_with_proof(&token, &proof).await?)
            };
            Ok(text(access.await))
        })
    }

    /// Whether proofs of keys are checked here.
    #[napi(getter)]
    pub fn checks_proofs(&self) -> bool {
        self.issuers.checks_proofs()
    }

    /// Fetches the keys that are not there yet. Answers with an empty text.
    #[napi]
    pub fn ready<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, Outcome>> {
        let issuers = self.issuers.clone();
        env.spawn_future(async move { Ok(text(issuers.ready().await.map(|()| String::new()))) })
    }
}

fn build(config: &str, clock: Arc<dyn Clock>, fetcher: Fetcher) -> Result<JwksVerifier> {
    let builder = IssuersConfig::from_json(config)?.builder()?;
    let builder = builder.clock(clock).transport(Arc::new(Fetching(fetcher)));
    // Keys are fetched where the async methods run.
    within_runtime_if_available(|| builder.build())
}
