//! Helpers of the access token tests: keys, hand-made tokens, and a fixed clock.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use regrant::access::{AccessPolicy, AccessVerifier, VerifiedAccess};
use regrant::keys::{Algorithm, Key, Keyring, ShortSecret};
use regrant::types::{ManualClock, SecretBytes, Timestamp};
use regrant::{Error, Result};
use serde_json::Value;
use sha2::Sha256;

pub use super::{pem, vector, vector_json, vector_path};

pub const SECRET: &str = "an HS256 secret for tests of access tokens";

/// The fixed time of the tests' clocks, in seconds.
pub const NOW: i64 = 1_700_000_000;

pub const ACCESS_HEADER: &str = r#"{"alg":"HS256","typ":"at+jwt"}"#;
pub const LEGACY_HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

pub fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_seconds(NOW)))
}

pub fn hmac_key(algorithm: Algorithm, secret: &str) -> Key {
    Key::hmac(algorithm, &SecretBytes::new(secret), ShortSecret::Refuse).unwrap()
}

pub fn keyring() -> Keyring {
    Keyring::single(hmac_key(Algorithm::HS256, SECRET))
}

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Signs the encoded header and payload with `secret` by HS256.
pub fn sign_segments(header: &str, payload: &str, secret: &str) -> String {
    let input = format!("{header}.{payload}");
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    let signature = mac.chain_update(&input).finalize().into_bytes();
    format!("{input}.{}", base64url(signature))
}

/// A token with exactly this header and these claims, signed with [`SECRET`] by HS256.
pub fn token(header: &str, claims: &str) -> String {
    sign_segments(&base64url(header), &base64url(claims), SECRET)
}

pub fn verifier(policy: AccessPolicy) -> AccessVerifier {
    AccessVerifier::new(keyring(), policy, clock()).unwrap()
}

/// Verifies an `at+jwt` with these claims by `policy` at [`NOW`].
pub fn verify_claims(policy: &AccessPolicy, claims: &Value) -> Result<VerifiedAccess> {
    verifier(policy.clone()).verify(&token(ACCESS_HEADER, &claims.to_string()))
}

/// The claim that an error names; panics on any other error.
pub fn claim_missing(result: Result<VerifiedAccess>) -> String {
    match result {
        Err(Error::ClaimMissing { claim }) => claim.into_owned(),
        other => panic!("expected a missing claim, got {other:?}"),
    }
}

pub fn claim_invalid(result: Result<VerifiedAccess>) -> String {
    match result {
        Err(Error::ClaimInvalid { claim }) => claim.into_owned(),
        other => panic!("expected an invalid claim, got {other:?}"),
    }
}

/// The field and the message of a configuration error.
pub fn config_error<T: std::fmt::Debug>(result: Result<T>) -> (String, String) {
    match result {
        Err(Error::ConfigInvalid { field, problem }) => (field, problem),
        other => panic!("expected a configuration error, got {other:?}"),
    }
}
