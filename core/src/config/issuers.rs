//! The configuration of a service that verifies the tokens of others.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::access::{AccessConfig, LegacyConfig, OneOrMany};
use super::dpop::ProofConfig;
use super::keys::{KeyConfig, within};
use super::sessions::some_span;
use crate::access::AccessPolicy;
use crate::error::{Error, Result};
use crate::jwks::{JwksSchedule, JwksUri, JwksVerifier, JwksVerifierBuilder, TrustedIssuer};
use crate::keys::{Algorithm, JwkSet, Keyring, ShortSecret};

/// Everything that [`JwksVerifier`] needs but the transport.
///
/// ```json
/// {
///   "issuers": [
///     { "issuer": "https://auth.example", "audience": "api",
///       "keysUrl": "https://auth.example/.well-known/jwks.json" }
///   ]
/// }
/// ```
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuersConfig {
    /// Whose tokens are accepted.
    pub issuers: Vec<IssuerConfig>,
    /// When key sets are fetched.
    #[serde(default)]
    pub key_sets: KeySetsConfig,
    /// Accepts tokens that are bound to keys of clients (DPoP, RFC 9449), with a proof; without it
    /// they are refused.
    #[serde(default)]
    pub dpop: Option<ProofConfig>,
}

/// An issuer whose tokens are accepted. It has exactly one of `keysUrl`, `jwks` and `keys`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IssuerConfig {
    /// Its `iss`, or several that it goes by.
    pub issuer: OneOrMany,
    /// The names by which this service is addressed, one of which a token must have in `aud`.
    pub audience: Option<OneOrMany>,
    /// The address of its JWK Set.
    pub keys_url: Option<String>,
    /// Its JWK Set, as JSON or as text.
    pub jwks: Option<Value>,
    /// Its keys.
    pub keys: Option<Vec<KeyConfig>>,
    /// The algorithm of those RSA keys of a set that do not say theirs. RS256 by default.
    pub rsa_algorithm: Option<Algorithm>,
    /// How far clocks may differ.
    #[serde(default, deserialize_with = "some_span")]
    pub leeway: Option<Duration>,
    /// Refuses tokens this long after their `iat`.
    #[serde(default, deserialize_with = "some_span")]
    pub max_age: Option<Duration>,
    /// The claim that names the user. `sub` by default.
    pub subject_claim: Option<String>,
    /// Claims that a token must have.
    #[serde(default)]
    pub required_claims: Vec<String>,
    /// The longest token, in bytes.
    pub max_token_bytes: Option<usize>,
    /// How many verified tokens are kept; 0 for none. 4096 by default.
    pub cache: Option<usize>,
    /// Whether, and which, tokens without `typ: at+jwt` are accepted.
    pub legacy: Option<LegacyConfig>,
}

/// When key sets are fetched; see [`JwksSchedule`] for the defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KeySetsConfig {
    /// How long an issuer is left alone after it was asked.
    #[serde(deserialize_with = "some_span")]
    pub cool_down: Option<Duration>,
    /// How long a set is good that does not say so itself.
    #[serde(deserialize_with = "some_span")]
    pub max_age: Option<Duration>,
    /// How much longer while the issuer cannot be reached.
    #[serde(deserialize_with = "some_span")]
    pub max_stale: Option<Duration>,
    /// How long an answer may take.
    #[serde(deserialize_with = "some_span")]
    pub timeout: Option<Duration>,
}

impl IssuersConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn from_json(json: &str) -> Result<Self> {
        super::read(json)
    }

    /// The builder with all of this in it.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn builder(self) -> Result<JwksVerifierBuilder> {
        let mut builder = JwksVerifier::builder().schedule(self.key_sets.schedule()?);
        if let Some(dpop) = &self.dpop {
            builder = builder.proofs(dpop.policy()?, dpop.origin.each().to_vec());
        }
        for (place, issuer) in self.issuers.into_iter().enumerate() {
            let issuer = issuer.trusted().map_err(|error| within("issuers", place, error))?;
            builder = builder.issuer(issuer);
        }
        Ok(builder)
    }
}

impl IssuerConfig {
    fn trusted(self) -> Result<TrustedIssuer> {
        let rsa = self.rsa_algorithm.unwrap_or(Algorithm::RS256);
        let keyring = match (&self.keys_url, &self.jwks, &self.keys) {
            (Some(url), None, None) => {
                let url = JwksUri::new(url)?;
                return TrustedIssuer::with_key_set(self.policy()?, url, rsa);
            }
            (None, Some(Value::String(text)), None) => JwkSet::parse(text, rsa)?.into_keyring()?,
            (None, Some(set), None) => JwkSet::parse(&set.to_string(), rsa)?.into_keyring()?,
            (None, None, Some(keys)) => keyring(keys)?,
            _ => {
                return Err(Error::config("", "needs exactly one of keysUrl, jwks and keys"));
            }
        };
        TrustedIssuer::with_keys(self.policy()?, keyring)
    }

    fn policy(self) -> Result<AccessPolicy> {
        let access = AccessConfig {
            issuer: Some(self.issuer),
            audience: self.audience,
            leeway: self.leeway,
            max_age: self.max_age,
            subject_claim: self.subject_claim,
            required_claims: self.required_claims,
            max_token_bytes: self.max_token_bytes,
            cache: self.cache,
            legacy: self.legacy,
            ..AccessConfig::default()
        };
        // There the fields are those of `access`.
        access.policy().map_err(|error| match error {
            Error::ConfigInvalid { field, problem } => {
                Error::config(field.strip_prefix("access.").unwrap_or(&field).to_owned(), problem)
            }
            other => other,
        })
    }
}

fn keyring(keys: &[KeyConfig]) -> Result<Keyring> {
    let mut ring = Keyring::builder();
    for (place, key) in keys.iter().enumerate() {
        ring = ring
            .verifying(key.key(ShortSecret::Refuse).map_err(|error| within("keys", place, error))?);
    }
    ring.build()
}

impl KeySetsConfig {
    fn schedule(&self) -> Result<JwksSchedule> {
        let default = JwksSchedule::default();
        JwksSchedule::builder()
            .refetch_cooldown(self.cool_down.unwrap_or(default.refetch_cooldown()))
            .max_age(self.max_age.unwrap_or(default.max_age()))
            .max_stale(self.max_stale.unwrap_or(default.max_stale()))
            .timeout(self.timeout.unwrap_or(default.timeout()))
            .build()
    }
}
