//! `secret`, `keys` and `refreshSecret`, and what is accepted beside them while they are rotated.

use serde::Deserialize;

use super::{AuthConfig, JwkConfig, SecretConfig};
use crate::error::{Error, Result};
use crate::keys::{Algorithm, Key, KeyId, Keyring, RefreshKeys, RefreshSecret, ShortSecret};

/// A key of access tokens: exactly one of `secret`, `privateKey`, `publicKey` and `jwk`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeyConfig {
    /// The one algorithm that the key is for.
    pub alg: Algorithm,
    /// Its name, the `kid` of the tokens that it signs.
    pub kid: Option<KeyId>,
    /// An HMAC secret.
    pub secret: Option<SecretConfig>,
    /// A private key in PEM.
    pub private_key: Option<SecretConfig>,
    /// A public key in PEM; it only verifies.
    pub public_key: Option<String>,
    /// A JWK, as an object or as text: a public key, or a secret (`kty: oct`). What it says of its
    /// use holds.
    pub jwk: Option<JwkConfig>,
    /// Whether it signs. Without such a key the first that can sign does.
    #[serde(default)]
    pub active: bool,
}

impl KeyConfig {
    pub(super) fn key(&self, short: ShortSecret) -> Result<Key> {
        let key = match (&self.secret, &self.private_key, &self.public_key, &self.jwk) {
            (Some(secret), None, None, None) => Key::hmac(self.alg, &secret.0, short)?,
            (None, Some(pem), None, None) => {
                let pem = std::str::from_utf8(pem.0.expose())
                    .map_err(|_| Error::config("privateKey", "is not PEM"))?;
                Key::private_pem(self.alg, pem)?
            }
            (None, None, Some(pem), None) => Key::public_pem(self.alg, pem)?,
            (None, None, None, Some(jwk)) => Key::from_jwk(self.alg, jwk.text()?, short)?,
            _ => {
                let problem = "needs exactly one of secret, privateKey, publicKey and jwk";
                return Err(Error::config("", problem));
            }
        };
        Ok(match &self.kid {
            Some(id) => key.with_id(id.clone()),
            None => key,
        })
    }
}

/// The keys of a configuration by themselves, for a running process to exchange its own for
/// ([`Auth::set_keys`](crate::Auth::set_keys)). The fields are those of [`AuthConfig`].
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeysConfig {
    /// See [`AuthConfig::secret`].
    pub secret: Option<SecretConfig>,
    /// See [`AuthConfig::accepted_secrets`].
    #[serde(default)]
    pub accepted_secrets: Vec<SecretConfig>,
    /// See [`AuthConfig::allow_short_secret`].
    #[serde(default)]
    pub allow_short_secret: bool,
    /// See [`AuthConfig::keys`].
    #[serde(default)]
    pub keys: Vec<KeyConfig>,
    /// See [`AuthConfig::refresh_secret`].
    pub refresh_secret: Option<SecretConfig>,
    /// See [`AuthConfig::accepted_refresh_secrets`].
    #[serde(default)]
    pub accepted_refresh_secrets: Vec<SecretConfig>,
}

impl KeysConfig {
    /// Reads a configuration.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn from_json(json: &str) -> Result<Self> {
        super::read(json)
    }

    fn short(&self) -> ShortSecret {
        if self.allow_short_secret { ShortSecret::Allow } else { ShortSecret::Refuse }
    }

    /// All keys of access tokens. Beside `keys`, `secret` goes on verifying what it signed.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn keyring(&self) -> Result<Keyring> {
        let mut keys = Vec::with_capacity(self.keys.len() + 1);
        for (place, config) in self.keys.iter().enumerate() {
            keys.push(config.key(self.short()).map_err(|error| within("keys", place, error))?);
        }
        if let Some(secret) = &self.secret {
            keys.push(Key::hmac(Algorithm::HS256, &secret.0, self.short())?);
        }
        if keys.is_empty() {
            return Err(Error::config("secret", "is required, unless there are keys"));
        }
        let marked: Vec<usize> =
            self.keys.iter().enumerate().filter(|(_, key)| key.active).map(|(at, _)| at).collect();
        if marked.len() > 1 {
            return Err(Error::config("keys", "more than one key is active"));
        }
        let active = marked.first().copied().or_else(|| keys.iter().position(Key::can_sign));
        let active = active.ok_or_else(|| Error::config("keys", "none of them can sign"))?;
        let mut ring = Keyring::builder();
        for (place, key) in keys.into_iter().enumerate() {
            ring = if place == active { ring.active(key) } else { ring.verifying(key) };
        }
        for (place, secret) in self.accepted_secrets.iter().enumerate() {
            let key = Key::hmac(Algorithm::HS256, &secret.0, self.short());
            ring = ring.verifying(key.map_err(|error| at("acceptedSecrets", place, error))?);
        }
        ring.build()
    }

    /// The secrets of refresh tokens: one that signs, and those that are accepted beside it.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn refresh_keys(&self) -> Result<RefreshKeys> {
        let given = self.refresh_secret.iter().map(|secret| ("refreshSecret".to_owned(), secret));
        let accepted = self.accepted_refresh_secrets.iter().enumerate();
        let accepted =
            accepted.map(|(place, secret)| (format!("acceptedRefreshSecrets[{place}]"), secret));
        for (field, secret) in given.chain(accepted) {
            if self.access_secrets().any(|access| access.0 == secret.0) {
                let problem = "must differ from the secrets of access tokens: leave it out and one is derived";
                return Err(Error::config(field, problem));
            }
        }
        let active = match (&self.refresh_secret, &self.secret) {
            (Some(given), _) => RefreshSecret::new(&given.0, self.short())?,
            (None, Some(secret)) => RefreshSecret::derived_from(&secret.0)?,
            (None, None) => {
                return Err(Error::config("refreshSecret", "is required when there is no secret"));
            }
        };
        let mut keys = RefreshKeys::new(active);
        for (place, secret) in self.accepted_refresh_secrets.iter().enumerate() {
            let secret = RefreshSecret::new(&secret.0, self.short());
            keys = keys
                .with_retired(secret.map_err(|error| at("acceptedRefreshSecrets", place, error))?);
        }
        for (place, secret) in self.accepted_secrets.iter().enumerate() {
            let secret = RefreshSecret::derived_from(&secret.0);
            keys = keys.with_retired(secret.map_err(|error| at("acceptedSecrets", place, error))?);
        }
        Ok(keys)
    }

    fn access_secrets(&self) -> impl Iterator<Item = &SecretConfig> {
        let of_keys = self.keys.iter().filter_map(|key| key.secret.as_ref());
        self.secret.iter().chain(&self.accepted_secrets).chain(of_keys)
    }
}

impl AuthConfig {
    /// Its keys by themselves.
    pub fn keys_config(&self) -> KeysConfig {
        KeysConfig {
            secret: self.secret.clone(),
            accepted_secrets: self.accepted_secrets.clone(),
            allow_short_secret: self.allow_short_secret,
            keys: self.keys.clone(),
            refresh_secret: self.refresh_secret.clone(),
            accepted_refresh_secrets: self.accepted_refresh_secrets.clone(),
        }
    }
}

/// `error` of the element of `list` at `place`.
fn at(list: &str, place: usize, error: Error) -> Error {
    match error {
        Error::ConfigInvalid { problem, .. } => Error::config(format!("{list}[{place}]"), problem),
        other => other,
    }
}

/// `error` with its field as a field of the element of `list` at `place`.
pub(super) fn within(list: &str, place: usize, error: Error) -> Error {
    match error {
        Error::ConfigInvalid { field, problem } => {
            let dot = if field.is_empty() { "" } else { "." };
            Error::config(format!("{list}[{place}]{dot}{field}"), problem)
        }
        other => other,
    }
}
