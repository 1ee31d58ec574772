//! A prepared key for `regrant/jsonwebtoken`, which brings its own rules: signatures and no more.
//!
//! Whatever this does not do (a key that the core refuses, a signature in another spelling) it
//! answers with null, and JavaScript does it by `node:crypto`.

use std::sync::Arc;

use napi::Env;
use napi::bindgen_prelude::{BufferSlice, Unknown};
use napi_derive::napi;
use regrant::Error;
use regrant::keys::{Algorithm, Key, ShortSecret};
use regrant::types::SecretBytes;

use crate::bare_function::{self, Answer, Call, Callee};

/// A key, prepared for one algorithm.
#[napi]
pub struct JwsKey(Arc<Key>);

#[napi]
impl JwsKey {
    /// From a secret of any length but none. Null when the core does not take it.
    #[napi(catch_unwind)]
    pub fn hmac(algorithm: String, secret: BufferSlice<'_>) -> Option<JwsKey> {
        let secret = SecretBytes::new(secret.to_vec());
        let key = Key::hmac(Algorithm::from_name(&algorithm)?, &secret, ShortSecret::Allow);
        key.ok().map(Arc::new).map(Self)
    }

    /// From a public key, DER of its SPKI. Null when the core does not take it.
    #[napi(catch_unwind)]
    pub fn public(algorithm: String, spki: BufferSlice<'_>) -> Option<JwsKey> {
        let key = Key::public_der(Algorithm::from_name(&algorithm)?, &spki);
        key.ok().map(Arc::new).map(Self)
    }

    /// A function `(token: string) => boolean | undefined`: whether this key signed the compact
    /// JWS; nothing when that is not for this function to say.
    #[napi(catch_unwind, ts_return_type = "(token: string) => boolean | undefined")]
    pub fn verifier<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        bare_function::function(env, Verifier(self.0.clone()))
    }

    /// A function `(payload: string) => string | undefined`: the compact JWS with this encoded
    /// header; nothing for a public key.
    #[napi(catch_unwind, ts_return_type = "(payload: string) => string | undefined")]
    pub fn signer<'env>(&self, env: &'env Env, header: String) -> napi::Result<Unknown<'env>> {
        bare_function::function(env, Signer { key: self.0.clone(), header })
    }
}

struct Verifier(Arc<Key>);

impl Callee for Verifier {
    fn answer<'call>(&self, call: Call<'call>, _: &mut [f64]) -> Option<Answer<'call>> {
        match call.text(|token| self.0.verify_jws(token)) {
            Ok(()) => call.boolean(true),
            Err(Error::SignatureInvalid) => call.boolean(false),
            Err(_) => None,
        }
    }
}

struct Signer {
    key: Arc<Key>,
    header: String,
}

impl Callee for Signer {
    fn answer<'call>(&self, call: Call<'call>, _: &mut [f64]) -> Option<Answer<'call>> {
        let token = call.text(|payload| self.key.sign_jws(&self.header, payload)).ok()?;
        call.latin1(token.as_bytes())
    }
}
