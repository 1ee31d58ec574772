//! A prepared key for `regrant/jsonwebtoken`, which brings its own rules: signatures and no more.
//!
//! Whatever this does not do (a key that the core refuses, a signature in another spelling) it
//! answers with null, and JavaScript does it by `node:crypto`.

use napi::bindgen_prelude::BufferSlice;
use napi::{Env, JsString};
use napi_derive::napi;
use regrant::Error;
use regrant::keys::{Algorithm, Key, ShortSecret};
use regrant::secret::SecretBytes;

use crate::token_text;

/// A key, prepared for one algorithm.
#[napi]
pub struct JwsKey(Key);

#[napi]
impl JwsKey {
    /// From a secret of any length but none. Null when the core does not take it.
    #[napi(catch_unwind)]
    pub fn hmac(algorithm: String, secret: BufferSlice<'_>) -> Option<JwsKey> {
        let secret = SecretBytes::new(secret.to_vec());
        Key::hmac(Algorithm::from_name(&algorithm)?, &secret, ShortSecret::Allow).ok().map(Self)
    }

    /// From a public key, DER of its SPKI. Null when the core does not take it.
    #[napi(catch_unwind)]
    pub fn public(algorithm: String, spki: BufferSlice<'_>) -> Option<JwsKey> {
        Key::public_der(Algorithm::from_name(&algorithm)?, &spki).ok().map(Self)
    }

    /// Whether this key signed the compact JWS. Null when that is not for this function to say.
    #[napi(catch_unwind)]
    pub fn verify(&self, env: &Env, token: JsString<'_>) -> Option<bool> {
        match token_text::with(env, token, |token| self.0.verify_jws(token)) {
            Ok(()) => Some(true),
            Err(Error::SignatureInvalid) => Some(false),
            Err(_) => None,
        }
    }

    /// The compact JWS of an encoded header and a payload as text. Null for a public key.
    #[napi(catch_unwind)]
    pub fn sign(&self, env: &Env, header: JsString<'_>, payload: JsString<'_>) -> Option<String> {
        token_text::with(env, header, |header| {
            token_text::with(env, payload, |payload| self.0.sign_jws(header, payload))
        })
        .ok()
    }
}
