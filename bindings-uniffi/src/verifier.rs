//! The access token verifier and its policy. Omitted fields of the policy have the core's defaults.

use std::sync::Arc;
use std::time::Duration;

use regrant::access;
use regrant::keys::{self, JwkSet, Keyring};
use regrant::types::AccessToken;

use crate::{AccessClaims, Algorithm, Clock, RegrantError, VerificationKey, time};

/// Verifies access tokens. Synchronous, without I/O, and thread-safe.
///
/// It holds native memory. Keep one for the lifetime of the app, or close it after use.
#[derive(uniffi::Object)]
pub struct AccessVerifier {
    verifier: access::AccessVerifier,
    skipped_keys: Vec<SkippedKey>,
}

/// A key of a JWK Set that is not used.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct SkippedKey {
    /// The index of the key in the set.
    pub index: u32,
    /// The `kid` of the key, if it has one.
    pub kid: Option<String>,
    /// Why the key is not used, for logs.
    pub reason: String,
}

#[uniffi::export]
impl AccessVerifier {
    /// A verifier with `keys` and `policy`. `clock` defaults to the system clock.
    ///
    /// Fails with `ERR_CONFIG_INVALID` and the invalid field: `keys` if there are none or two with
    /// the same id and algorithm, `secret`, `publicKey` or `kid` of a key, or `access.…` of the policy.
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
        let verifier = access::AccessVerifier::new(ring.build()?, policy.into_core()?, clock)?;
        Ok(Self { verifier, skipped_keys: Vec::new() })
    }

    /// A verifier with the keys of a JWK Set (RFC 7517 §5), given as its JSON text. An app that has
    /// stored the text can verify offline. `rsa_algorithm` is the algorithm of RSA keys without
    /// `alg`, default RS256. Unusable keys are ignored; `skippedKeys` returns them.
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
        let skipped_keys = set.skipped().iter().map(SkippedKey::from_core).collect();
        let (keyring, clock) = (set.into_keyring()?, time::clock(clock));
        let verifier = access::AccessVerifier::new(keyring, policy.into_core()?, clock)?;
        Ok(Self { verifier, skipped_keys })
    }

    /// The keys of the JWK Set that are not used, to be logged: tokens that they signed fail.
    pub fn skipped_keys(&self) -> Vec<SkippedKey> {
        self.skipped_keys.clone()
    }

    /// Verifies `token` (compact form, without a scheme) and returns its claims.
    ///
    /// Fails with the code of the first failed check: size and form, header, algorithm and key,
    /// signature, `typ`, claims, and expiry last. `ERR_TOKEN_EXPIRED` therefore means that the token
    /// is otherwise valid.
    pub fn verify(&self, token: String) -> Result<AccessClaims, RegrantError> {
        // Wiped on drop.
        let token = AccessToken::new(token);
        self.verifier.verify(token.expose())?.try_into()
    }
}

impl SkippedKey {
    fn from_core(key: &keys::SkippedKey) -> Self {
        Self {
            index: key.index.try_into().unwrap_or(u32::MAX),
            kid: key.kid.clone(),
            reason: key.reason.to_string(),
        }
    }
}

/// The requirements for access tokens. All fields are optional; invalid values are rejected by the
/// verifier's constructor.
#[derive(Clone, Debug, Default, PartialEq, Eq, uniffi::Record)]
pub struct AccessPolicy {
    /// The accepted values of `iss` (RFC 7519 §4.1.1). Empty: not checked.
    #[uniffi(default)]
    pub issuers: Vec<String>,
    /// The names of this service, one of which `aud` must contain (RFC 7519 §4.1.3). Empty: a token
    /// must have no `aud`.
    #[uniffi(default)]
    pub audiences: Vec<String>,
    /// The tolerated clock difference between issuer and verifier: at most 5 minutes, default 0.
    #[uniffi(default = None)]
    pub leeway: Option<Duration>,
    /// Rejects tokens older than this by their `iat`, which is then required.
    #[uniffi(default = None)]
    pub max_age: Option<Duration>,
    /// The claims that a token must have, not null.
    #[uniffi(default)]
    pub required_claims: Vec<String>,
    /// The claim with the user's id, such as `userId`. Default `sub`, which is also used for tokens
    /// without the claim.
    #[uniffi(default = None)]
    pub subject_claim: Option<String>,
    /// The maximum size of a token in bytes: 256 to 65536, default 8192.
    #[uniffi(default = None)]
    pub max_token_bytes: Option<u32>,
    /// Accepts tokens of a legacy app. Default: not.
    #[uniffi(default = None)]
    pub legacy: Option<LegacyTokens>,
}

/// Which tokens of a legacy app are accepted. They have no `typ`, or `JWT`.
#[derive(Clone, Debug, Default, PartialEq, Eq, uniffi::Record)]
pub struct LegacyTokens {
    /// The maximum lifetime of such a token: default 24 hours. A legacy app signs its long-lived
    /// refresh tokens with the same key, and only this bound distinguishes them.
    #[uniffi(default = None)]
    pub max_lifetime: Option<Duration>,
    /// The claims that such a token must have.
    #[uniffi(default)]
    pub required_claims: Vec<String>,
    /// The claims that such a token must not have, for example the one that marks the links for
    /// password resets that the legacy app signed with the same key.
    #[uniffi(default)]
    pub forbidden_claims: Vec<String>,
}

impl AccessPolicy {
    /// Converts to the core's policy and validates it.
    pub(crate) fn into_core(self) -> Result<access::AccessPolicy, RegrantError> {
        let mut policy = access::AccessPolicy::builder();
        for issuer in self.issuers {
            policy = policy.issuer(issuer);
        }
        for audience in self.audiences {
            policy = policy.audience(audience);
        }
        for claim in self.required_claims {
            policy = policy.required_claim(claim);
        }
        if let Some(leeway) = self.leeway {
            policy = policy.leeway(leeway);
        }
        if let Some(max_age) = self.max_age {
            policy = policy.max_age(max_age);
        }
        if let Some(name) = self.subject_claim {
            policy = policy.subject_claim(name);
        }
        if let Some(bytes) = self.max_token_bytes {
            // The core rejects the maximum.
            policy = policy.max_token_bytes(bytes.try_into().unwrap_or(usize::MAX));
        }
        if let Some(legacy) = self.legacy {
            let default = access::LegacyTokens::default();
            let max_lifetime = legacy.max_lifetime.unwrap_or(default.max_lifetime);
            policy = policy.accept_legacy(access::LegacyTokens { max_lifetime });
            for claim in legacy.required_claims {
                policy = policy.legacy_required_claim(claim);
            }
            for claim in legacy.forbidden_claims {
                policy = policy.legacy_forbidden_claim(claim);
            }
        }
        Ok(policy.build()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn omitted_fields_have_the_defaults_of_the_core() {
        assert_eq!(AccessPolicy::default().into_core().unwrap(), access::AccessPolicy::default());
        let legacy = AccessPolicy { legacy: Some(LegacyTokens::default()), ..Default::default() };
        assert_eq!(legacy.into_core().unwrap().legacy(), Some(access::LegacyTokens::default()));
    }

    #[test]
    fn every_field_reaches_the_core() {
        let seconds = Duration::from_secs;
        let policy = AccessPolicy {
            issuers: vec!["i1".to_owned(), "i2".to_owned()],
            audiences: vec!["a1".to_owned(), "a2".to_owned()],
            leeway: Some(seconds(1)),
            max_age: Some(seconds(2)),
            required_claims: vec!["role".to_owned()],
            subject_claim: Some("userId".to_owned()),
            max_token_bytes: Some(300),
            legacy: Some(LegacyTokens {
                max_lifetime: Some(seconds(3)),
                required_claims: vec!["userId".to_owned()],
                forbidden_claims: vec!["purpose".to_owned()],
            }),
        };
        let policy = policy.into_core().unwrap();
        let expected = access::AccessPolicy::builder()
            .issuer("i1")
            .issuer("i2")
            .audience("a1")
            .audience("a2")
            .leeway(seconds(1))
            .max_age(seconds(2))
            .required_claim("role")
            .subject_claim("userId")
            .max_token_bytes(300)
            .accept_legacy(access::LegacyTokens { max_lifetime: seconds(3) })
            .legacy_required_claim("userId")
            .legacy_forbidden_claim("purpose")
            .build();
        assert_eq!(policy, expected.unwrap());
    }

    #[test]
    fn skipped_keys_of_a_set_are_reported() {
        let set = r#"{"keys":[
            {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
            {"kty":"EC","crv":"P-521","kid":"later"}]}"#;
        let verifier = AccessVerifier::from_jwks(set, AccessPolicy::default(), None, None).unwrap();
        let reason = "it is of a kind that is not supported".to_owned();
        let expected = SkippedKey { index: 1, kid: Some("later".to_owned()), reason };
        assert_eq!(verifier.skipped_keys(), [expected]);
    }

    #[test]
    fn an_invalid_value_is_rejected_with_its_field() {
        let policy = AccessPolicy { leeway: Some(Duration::from_secs(301)), ..Default::default() };
        let RegrantError::Failed { code, field, .. } = policy.into_core().unwrap_err();
        assert_eq!(
            (code.as_str(), field.as_deref()),
            ("ERR_CONFIG_INVALID", Some("access.leeway"))
        );
    }
}
