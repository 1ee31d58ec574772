//! The configuration of a verifier of other services' tokens.

use serde_json::{Map, Value};

use super::options::{AccessConfig, IssuerConfig, KeyConfig, KeySetsConfig, VerifierConfig};
use super::parse::{in_element, names_of, parse};
use super::policies::check_timeout;
use super::values::{Lifetime, OneOrMany, OrFalse};
use crate::access::AccessPolicy;
use crate::error::{Error, Result};
use crate::http::WebPolicy;
use crate::jwks::{JwksSchedule, JwksUri, JwksVerifier, JwksVerifierBuilder, TrustedIssuer};
use crate::keys::{Algorithm, JwkSet, Keyring, ShortSecret};

impl VerifierConfig {
    /// Parses a configuration.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn from_json(json: &str) -> Result<Self> {
        parse(json)
    }

    /// The names of the options at the top level, for bindings that add their own.
    pub fn option_names() -> Vec<String> {
        names_of::<Self>()
    }

    /// How access tokens travel over HTTP.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn web_policy(&self) -> Result<WebPolicy> {
        self.web.clone().policy()
    }

    /// The issuer for an [`IssuerResolver`](crate::jwks::IssuerResolver): its options as JSON text. `name`,
    /// the `iss` of a token, is its `issuer` if they have none.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn resolved_issuer(name: &str, json: &str) -> Result<TrustedIssuer> {
        // The token that names it is not verified yet, and must not bring a pattern.
        if name.contains('*') {
            return Err(Error::config("issuer", "must have no `*`"));
        }
        let mut options: Map<String, Value> = serde_json::from_str(json)
            .map_err(|_| Error::config("config", "expected an object"))?;
        options.entry("issuer").or_insert_with(|| name.into());
        parse::<IssuerConfig>(&Value::Object(options).to_string())?.trusted_issuer()
    }

    /// Resolves all options into a builder, which lacks only the transport.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn builder(self) -> Result<JwksVerifierBuilder> {
        self.web_policy()?;
        let mut builder = JwksVerifier::builder().schedule(self.key_sets.schedule()?);
        if let Some(dpop) = self.dpop.and_then(OrFalse::on) {
            builder = builder.proofs(dpop.policy()?, dpop.origin.as_slice().to_vec());
        }
        for (index, issuer) in self.issuers.into_iter().enumerate() {
            let issuer =
                issuer.trusted_issuer().map_err(|error| in_element("issuers", index, error))?;
            builder = builder.issuer(issuer);
        }
        Ok(builder)
    }
}

impl IssuerConfig {
    fn trusted_issuer(self) -> Result<TrustedIssuer> {
        if self.allow_insecure_requests && self.jwks_uri.is_none() {
            return Err(Error::config(
                "allowInsecureRequests",
                "is for jwksUri, which is not given",
            ));
        }
        if self.rsa_algorithm.is_some() && self.keys.is_some() {
            let problem = "is for key sets; each of `keys` has its `alg`";
            return Err(Error::config("rsaAlgorithm", problem));
        }
        let rsa = self.rsa_algorithm.unwrap_or(Algorithm::RS256);
        match (&self.jwks_uri, &self.jwks, &self.keys) {
            (Some(uri), None, None) => {
                let uri = if self.allow_insecure_requests {
                    JwksUri::with_insecure_requests(uri)?
                } else {
                    JwksUri::new(uri)?
                };
                TrustedIssuer::with_key_set(self.policy()?, uri, rsa)
            }
            (None, Some(set), None) => {
                let set = match set {
                    Value::String(text) => JwkSet::parse(text, rsa)?,
                    set => JwkSet::parse(&set.to_string(), rsa)?,
                };
                TrustedIssuer::with_jwks(self.policy()?, set)
            }
            (None, None, Some(keys)) => {
                let keyring = verifying_keyring(keys)?;
                TrustedIssuer::with_keys(self.policy()?, keyring)
            }
            _ => Err(Error::config("", "needs exactly one of jwksUri, jwks and keys")),
        }
    }

    fn policy(self) -> Result<AccessPolicy> {
        let issuers = self.issuer.as_slice().iter().cloned();
        let (issuer_patterns, names) = issuers.partition(|issuer| issuer.contains('*'));
        let access = AccessConfig {
            issuer: Some(OneOrMany::Many(names)),
            issuer_patterns,
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
        access.policy().map_err(|error| match error {
            Error::ConfigInvalid { field, problem } => {
                Error::config(field.strip_prefix("access.").unwrap_or(&field).to_owned(), problem)
            }
            other => other,
        })
    }
}

fn verifying_keyring(keys: &[KeyConfig]) -> Result<Keyring> {
    let mut ring = Keyring::builder();
    for (index, key) in keys.iter().enumerate() {
        let key = key.key(ShortSecret::Refuse);
        ring = ring.verifying(key.map_err(|error| in_element("keys", index, error))?);
    }
    ring.build()
}

impl KeySetsConfig {
    fn schedule(&self) -> Result<JwksSchedule> {
        let mut schedule = JwksSchedule::builder();
        if let Some(Lifetime(cooldown)) = self.refetch_cooldown {
            schedule = schedule.refetch_cooldown(cooldown);
        }
        if let Some(Lifetime(max_age)) = self.max_age {
            schedule = schedule.max_age(max_age);
        }
        if let Some(Lifetime(max_stale)) = self.max_stale {
            schedule = schedule.max_stale(max_stale);
        }
        if let Some(Lifetime(timeout)) = self.timeout {
            check_timeout("keySets.timeout", timeout)?;
            schedule = schedule.timeout(timeout);
        }
        schedule.build()
    }
}
