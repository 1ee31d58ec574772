//! The access token verifier.

use std::sync::Arc;

use regrant::access;
use regrant::keys::{JwkSet, Keyring};
use regrant::types::AccessToken;

use crate::{AccessClaims, AccessPolicy, Algorithm, Clock, RegrantError, VerificationKey, time};

/// Verifies access tokens. Synchronous, without I/O, and thread-safe.
///
/// It holds native memory. Keep one for the lifetime of the app, or close it after use.
#[derive(uniffi::Object)]
pub struct AccessVerifier(access::AccessVerifier);

#[uniffi::export]
impl AccessVerifier {
    /// A verifier with `keys` and `policy`. `clock` defaults to the system clock.
    ///
    /// Fails with `ERR_CONFIG_INVALID` and the invalid field: `keys` if there are none or two with
    /// the same id, `secret`, `publicKey` or `kid` of a key, or `access.…` of the policy.
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
        let clock = time::clock(clock);
        Ok(Self(access::AccessVerifier::new(ring.build()?, policy.into_core()?, clock)?))
    }

    /// A verifier with the keys of a JWK Set (RFC 7517 §5), given as its JSON text. An app that has
    /// stored the text can verify offline. `rsa_algorithm` is the algorithm of RSA keys without
    /// `alg`, default RS256. Unusable keys are ignored.
    ///
    /// Fails with `ERR_CONFIG_INVALID` and the invalid field: `jwks` if the text is not a JWK Set or
    /// contains no usable key, or `access.…` of the policy.
    #[uniffi::constructor(default(clock = None, rsa_algorithm = None))]
    pub fn from_jwks(
        jwks: &str,
        policy: AccessPolicy,
        clock: Option<Arc<dyn Clock>>,
        rsa_algorithm: Option<Algorithm>,
    ) -> Result<Self, RegrantError> {
        let set = JwkSet::parse(jwks, rsa_algorithm.unwrap_or(Algorithm::RS256))?;
        let clock = time::clock(clock);
        Ok(Self(access::AccessVerifier::new(set.into_keyring()?, policy.into_core()?, clock)?))
    }

    /// Verifies `token` (compact form, without a scheme) and returns its claims.
    ///
    /// Fails with the code of the first failed check: size and form, header, algorithm and key,
    /// signature, `typ`, claims, and expiry last. `ERR_TOKEN_EXPIRED` therefore means that the token
    /// is otherwise valid.
    pub fn verify(&self, token: String) -> Result<AccessClaims, RegrantError> {
        // Wiped on drop.
        let token = AccessToken::new(token);
        self.0.verify(token.expose())?.try_into()
    }
}
