//! Verifies access tokens.

use std::sync::Arc;

use regrant::access;
use regrant::keys::{JwkSet, Keyring};
use regrant::types::AccessToken;

use crate::{AccessClaims, AccessPolicy, Algorithm, Clock, RegrantError, VerificationKey, clock};

/// Verifies access tokens: synchronous, without I/O, safe to share between threads.
///
/// It holds native memory. Keep one for as long as the app runs, or close it after use.
#[derive(uniffi::Object)]
pub struct AccessVerifier(access::AccessVerifier);

#[uniffi::export]
impl AccessVerifier {
    /// Verifies with `keys` by `policy` at the time that `clock` shows, the system's by default.
    ///
    /// Fails with `ERR_CONFIG_INVALID` and the refused field: `keys` when there are none or two
    /// of one name, `secret`, `publicKey` or `kid` of a key, or `access.…` of the policy.
    #[uniffi::constructor(default(clock = None))]
    pub fn new(
        keys: Vec<VerificationKey>,
        policy: AccessPolicy,
        clock: Option<Arc<dyn Clock>>,
    ) -> Result<Self, RegrantError> {
        let mut ring = Keyring::builder();
        for key in keys {
            ring = ring.verifying(key.into_core()?);
        }
        let clock = clock::of(clock);
        Ok(Self(access::AccessVerifier::new(ring.build()?, policy.into_core()?, clock)?))
    }

    /// Verifies with the keys of a JWK Set (RFC 7517 §5), the text of a document that a server
    /// publishes; so an app that has it verifies while offline. RSA keys that leave `alg` out are
    /// for `rsa_algorithm`, RS256 by default. Keys that cannot be used are left out.
    ///
    /// Fails with `ERR_CONFIG_INVALID` and the refused field: `jwks` when it is not such a
    /// document or has no key that can be used, or `access.…` of the policy.
    #[uniffi::constructor(default(clock = None, rsa_algorithm = None))]
    pub fn from_jwks(
        jwks: &str,
        policy: AccessPolicy,
        clock: Option<Arc<dyn Clock>>,
        rsa_algorithm: Option<Algorithm>,
    ) -> Result<Self, RegrantError> {
        let set = JwkSet::parse(jwks, rsa_algorithm.unwrap_or(Algorithm::RS256))?;
        let clock = clock::of(clock);
        Ok(Self(access::AccessVerifier::new(set.into_keyring()?, policy.into_core()?, clock)?))
    }

    /// Checks `token`, the compact form without a scheme, and returns what it says.
    ///
    /// Fails with a code that says what was wrong first: size and form, header, algorithm and
    /// key, signature, `typ`, claims, and expiry last. So `ERR_TOKEN_EXPIRED` means that the token
    /// was good in every other way.
    pub fn verify(&self, token: String) -> Result<AccessClaims, RegrantError> {
        // Wiped when dropped.
        let token = AccessToken::new(token);
        self.0.verify(token.expose())?.try_into()
    }
}
