//! The keys of a configuration: the keyring of access tokens and the secrets of refresh tokens.

use super::options::{KeyConfig, KeysConfig};
use super::parse::{in_element, of_element, parse};
use super::values::SecretConfig;

use crate::error::{Error, Result};
use crate::keys::{Algorithm, Key, Keyring, RefreshKeys, RefreshSecret, ShortSecret};

impl KeysConfig {
    /// Parses the keys alone, for [`Auth::set_keys`](crate::Auth::set_keys).
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn from_json(json: &str) -> Result<Self> {
        parse(json)
    }

    /// All keys of access tokens. Beside `keys`, the `secret` still verifies what it signed.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn keyring(&self) -> Result<Keyring> {
        let mut keys = Vec::with_capacity(self.keys.len() + 1);
        for (index, config) in self.keys.iter().enumerate() {
            let key = config.key(self.short_secret());
            keys.push(key.map_err(|error| in_element("keys", index, error))?);
        }
        if let Some(secret) = &self.secret {
            keys.push(Key::hmac(Algorithm::HS256, &secret.0, self.short_secret())?);
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
        for (index, key) in keys.into_iter().enumerate() {
            ring = if index == active { ring.active(key) } else { ring.verifying(key) };
        }
        for (index, secret) in self.previous_secrets.iter().enumerate() {
            let key = Key::hmac(Algorithm::HS256, &secret.0, self.short_secret());
            ring =
                ring.verifying(key.map_err(|error| of_element("previousSecrets", index, error))?);
        }
        ring.build()
    }

    /// The secrets of refresh tokens: the one that signs, and those that are only accepted.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] with the path of the field.
    pub fn refresh_keys(&self) -> Result<RefreshKeys> {
        const PREVIOUS: &str = "previousRefreshSecrets";
        let current = self.refresh_secret.iter().map(|secret| ("refreshSecret".to_owned(), secret));
        let previous = self.previous_refresh_secrets.iter().enumerate();
        let previous = previous.map(|(index, secret)| (format!("{PREVIOUS}[{index}]"), secret));
        for (field, secret) in current.chain(previous) {
            if self.access_secrets().any(|access| access.0 == secret.0) {
                let problem = "must differ from the secrets of access tokens: leave it out and one is derived";
                return Err(Error::config(field, problem));
            }
        }
        let active = match (&self.refresh_secret, &self.secret) {
            (Some(secret), _) => RefreshSecret::new(&secret.0, self.short_secret())?,
            (None, Some(secret)) => RefreshSecret::derived_from(&secret.0)?,
            (None, None) => {
                return Err(Error::config("refreshSecret", "is required when there is no secret"));
            }
        };
        let mut keys = RefreshKeys::new(active);
        for (index, secret) in self.previous_refresh_secrets.iter().enumerate() {
            let secret = RefreshSecret::new(&secret.0, self.short_secret());
            keys = keys.with_retired(secret.map_err(|error| of_element(PREVIOUS, index, error))?);
        }
        for (index, secret) in self.previous_secrets.iter().enumerate() {
            let secret = RefreshSecret::derived_from(&secret.0);
            let secret = secret.map_err(|error| of_element("previousSecrets", index, error))?;
            keys = keys.with_retired(secret);
        }
        Ok(keys)
    }

    fn short_secret(&self) -> ShortSecret {
        if self.allow_short_secret { ShortSecret::Allow } else { ShortSecret::Refuse }
    }

    fn access_secrets(&self) -> impl Iterator<Item = &SecretConfig> {
        let of_keys = self.keys.iter().filter_map(|key| key.secret.as_ref());
        self.secret.iter().chain(&self.previous_secrets).chain(of_keys)
    }
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
