//! Signatures for `regrant/jsonwebtoken`, which has its own rules for claims.
//!
//! Where the core does not help (a key that it rejects, a signature in another encoding), the
//! result is null, and JavaScript falls back to `node:crypto`.

use std::sync::Arc;

use napi::Env;
use napi::bindgen_prelude::{BufferSlice, Unknown};
use napi_derive::napi;
use regrant::Error;
use regrant::keys::{Algorithm, Key, ShortSecret};
use regrant::types::SecretBytes;

use crate::fast_function::{self, Call, NativeFn, Value};

/// A key for one algorithm.
#[napi]
pub struct JwsKey(Arc<Key>);

#[napi]
impl JwsKey {
    /// From a secret that is not empty. Null when the core does not accept it.
    #[napi(catch_unwind)]
    pub fn hmac(algorithm: String, secret: BufferSlice<'_>) -> Option<JwsKey> {
        let secret = SecretBytes::new(secret.to_vec());
        let key = Key::hmac(Algorithm::from_name(&algorithm)?, &secret, ShortSecret::Allow);
        key.ok().map(Arc::new).map(Self)
    }

    /// From a public key, its SPKI in DER. Null when the core does not accept it.
    #[napi(catch_unwind)]
    pub fn public(algorithm: String, spki: BufferSlice<'_>) -> Option<JwsKey> {
        let key = Key::public_der(Algorithm::from_name(&algorithm)?, &spki);
        key.ok().map(Arc::new).map(Self)
    }

    /// Makes a function `(token: string) => boolean | undefined`: whether this key signed the
    /// compact JWS; `undefined` when the core cannot tell.
    #[napi(catch_unwind, ts_return_type = "(token: string) => boolean | undefined")]
    pub fn verifier<'env>(&self, env: &'env Env) -> napi::Result<Unknown<'env>> {
        fast_function::create(env, Verifier(self.0.clone()))
    }

    /// Makes a function `(payload: string) => string | undefined`, which signs a compact JWS with
    /// this encoded header; `undefined` for a public key.
    #[napi(catch_unwind, ts_return_type = "(payload: string) => string | undefined")]
    pub fn signer<'env>(&self, env: &'env Env, header: String) -> napi::Result<Unknown<'env>> {
        fast_function::create(env, Signer { key: self.0.clone(), header })
    }
}

struct Verifier(Arc<Key>);

impl NativeFn for Verifier {
    fn call<'call>(&self, call: Call<'call>, _: &mut [f64]) -> Option<Value<'call>> {
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

impl NativeFn for Signer {
    fn call<'call>(&self, call: Call<'call>, _: &mut [f64]) -> Option<Value<'call>> {
        let token = call.text(|payload| self.key.sign_jws(&self.header, payload)).ok()?;
        call.latin1(token.as_bytes())
    }
}
