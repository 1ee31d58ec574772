//! The verifier of the tokens of other services as a class.

use std::sync::Arc;

use napi::bindgen_prelude::{Either, PromiseRaw, within_runtime_if_available};
use napi::{Env, JsString};
use napi_derive::napi;
use regrant::Result;
use regrant::config::VerifierConfig;
use regrant::http::WebPolicy;
use regrant::jwks::{JwksVerifier, ResolverLimits};
use regrant::types::{Clock, SystemClock};

use crate::callbacks::{AsyncFunction, JsIssuerResolver, JsTransport};
use crate::clock::TestClock;
use crate::error::{ErrorDto, NativeResult, text};
use crate::fast_function::with_text;
use crate::http::{NativeWeb, choose_access};
use crate::log::{LogListener, Subscription};
use crate::requests::PresentedProof;
use crate::verify::to_tuple_json;

/// `JwksVerifier` of the core. Its methods return `[subject, sessionId, claims]` as JSON text, or
/// an [`ErrorDto`].
#[napi]
pub struct NativeJwksVerifier {
    verifier: JwksVerifier,
    web: Arc<WebPolicy>,
    clock: Arc<dyn Clock>,
    /// Keeps the listener subscribed as long as there is something to log.
    _log: Arc<Subscription>,
}

#[napi]
impl NativeJwksVerifier {
    /// The names of the options of the configuration.
    #[napi(catch_unwind)]
    pub fn option_names() -> Vec<String> {
        VerifierConfig::option_names()
    }

    /// Checks the configuration, JSON text, and builds. Does no I/O.
    #[napi(catch_unwind)]
    pub fn create(
        config: String,
        clock: Option<&TestClock>,
        log: &LogListener,
        #[napi(ts_arg_type = "(url: string) => Promise<string>")] fetch: AsyncFunction,
        #[napi(ts_arg_type = "((issuer: string) => Promise<string>) | undefined")] resolver: Option<
            AsyncFunction,
        >,
    ) -> Either<NativeJwksVerifier, ErrorDto> {
        let clock =
            clock.map_or_else(|| Arc::new(SystemClock) as Arc<dyn Clock>, TestClock::shared);
        match build(&config, Arc::clone(&clock), fetch, resolver) {
            Ok((verifier, web)) => {
                Either::A(Self { verifier, web: Arc::new(web), clock, _log: log.shared() })
            }
            Err(error) => Either::B(error.into()),
        }
    }

    /// Verifies by the keys at hand. Null where fetching keys may change the result.
    #[napi(catch_unwind)]
    pub fn try_verify(&self, env: &Env, token: JsString<'_>) -> Option<NativeResult> {
        let verified = with_text(env, token, |token| {
            self.verifier.try_verify(token).map(|access| to_tuple_json(&access?)).transpose()
        });
        verified.transpose().map(text)
    }

    /// Verifies by the keys at hand, whatever they are.
    #[napi(catch_unwind)]
    pub fn verify(&self, env: &Env, token: JsString<'_>) -> NativeResult {
        text(with_text(env, token, |token| to_tuple_json(&self.verifier.verify_cached(token)?)))
    }

    /// Verifies, and fetches keys where that is needed.
    #[napi]
    pub fn verify_or_fetch<'env>(
        &self,
        env: &'env Env,
        token: String,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.promise(env, |verifier| async move { to_tuple_json(&verifier.verify(&token).await?) })
    }

    /// Verifies a token that is bound to a key, and the proof of that key.
    #[napi]
    pub fn verify_with_proof<'env>(
        &self,
        env: &'env Env,
        token: String,
        proof: PresentedProof,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.promise(env, |verifier| async move {
            to_tuple_json(&verifier.verify_with_proof(&token, &proof.into()).await?)
        })
    }

    /// How access tokens travel.
    #[napi(getter)]
    pub fn web(&self) -> NativeWeb {
        NativeWeb::new(Arc::clone(&self.web), Arc::clone(&self.clock))
    }

    /// Chooses among the access tokens of several cookies of one name, by the keys at hand after an
    /// attempt to fetch the missing ones. The error removes cookies that make the request ambiguous.
    #[napi]
    pub fn choose_access<'env>(
        &self,
        env: &'env Env,
        head: String,
        tokens: Vec<String>,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        let (verifier, web) = (self.verifier.clone(), Arc::clone(&self.web));
        env.spawn_future(async move {
            // Without keys, the verification of the chosen token tells what is wrong.
            let _ = verifier.ready().await;
            Ok(choose_access(&web, &head, tokens, |token| verifier.verify_cached(token)))
        })
    }

    /// Whether proofs of keys are checked.
    #[napi(getter)]
    pub fn checks_proofs(&self) -> bool {
        self.verifier.checks_proofs()
    }

    /// Fetches the missing keys. Returns an empty text.
    #[napi]
    pub fn ready<'env>(&self, env: &'env Env) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.promise(env, |verifier| async move { verifier.ready().await.map(|()| String::new()) })
    }
}

impl NativeJwksVerifier {
    fn promise<'env, F>(
        &self,
        env: &'env Env,
        call: impl FnOnce(JwksVerifier) -> F,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>>
    where
        F: Future<Output = Result<String>> + Send + 'static,
    {
        let call = call(self.verifier.clone());
        env.spawn_future(async move { Ok(text(call.await)) })
    }
}

fn build(
    config: &str,
    clock: Arc<dyn Clock>,
    fetch: AsyncFunction,
    resolver: Option<AsyncFunction>,
) -> Result<(JwksVerifier, WebPolicy)> {
    let config = VerifierConfig::from_json(config)?;
    let web = config.web_policy()?;
    let builder = config.builder()?;
    let mut builder = builder.clock(clock).transport(Arc::new(JsTransport(fetch)));
    if let Some(resolver) = resolver {
        let limits = ResolverLimits::default();
        builder = builder.resolver(Arc::new(JsIssuerResolver(resolver)), limits);
    }
    // Keys are fetched where the async methods run.
    Ok((within_runtime_if_available(|| builder.build())?, web))
}
