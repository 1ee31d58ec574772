//! `secret`, `keys` and `refreshSecret`.

use serde::Deserialize;

use super::{AuthConfig, SecretConfig};
use crate::error::{Error, Result};
use crate::keys::{Algorithm, Key, KeyId, Keyring, RefreshKeys, RefreshSecret, ShortSecret};

/// A key of access tokens: exactly one of `secret`, `privateKey` and `publicKey`.
#[derive(Debug, Deserialize)]
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
    /// Whether it signs. Without such a key the first that can sign does.
    #[serde(default)]
    pub active: bool,
}

impl KeyConfig {
    pub(super) fn key(&self, short: ShortSecret) -> Result<Key> {
        let key = match (&self.secret, &self.private_key, &self.public_key) {
            (Some(secret), None, None) => Key::hmac(self.alg, &secret.0, short)?,
            (None, Some(pem), None) => {
                let pem = std::str::from_utf8(pem.0.expose())
                    .map_err(|_| Error::config("privateKey", "is not PEM"))?;
                Key::private_pem(self.alg, pem)?
            }
            (None, None, Some(pem)) => Key::public_pem(self.alg, pem)?,
            _ => {
                let problem = "needs exactly one of secret, privateKey and publicKey";
                return Err(Error::config("", problem));
            }
        };
        Ok(match &self.kid {
            Some(id) => key.with_id(id.clone()),
            None => key,
        })
    }
}

impl AuthConfig {
    fn short(&self) -> ShortSecret {
        if self.allow_short_secret { ShortSecret::Allow } else { ShortSecret::Refuse }
    }

    /// All keys of access tokens. Beside `keys`, `secret` goes on verifying what it signed.
    pub(crate) fn keyring(&self) -> Result<Keyring> {
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
        ring.build()
    }

    /// The secrets of refresh tokens.
    pub(crate) fn refresh_keys(&self) -> Result<RefreshKeys> {
        let secret = match (&self.refresh_secret, &self.secret) {
            (Some(given), access) => {
                let is_access_key =
                    access.iter().chain(self.keys.iter().filter_map(|key| key.secret.as_ref()));
                if is_access_key.into_iter().any(|access| access.0 == given.0) {
                    let problem = "must differ from the secrets of access tokens: leave it out and one is derived";
                    return Err(Error::config("refreshSecret", problem));
                }
                RefreshSecret::given(&given.0, self.short())?
            }
            (None, Some(secret)) => RefreshSecret::derived_from(&secret.0)?,
            (None, None) => {
                return Err(Error::config("refreshSecret", "is required when there is no secret"));
            }
        };
        Ok(RefreshKeys::new(secret))
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
