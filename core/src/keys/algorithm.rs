//! The signature algorithms (RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2) and the keys they take.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// A signature algorithm of a JWS. `none` is not supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Algorithm {
    /// HMAC with SHA-256.
    HS256,
    /// HMAC with SHA-384.
    HS384,
    /// HMAC with SHA-512.
    HS512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519. Written as `EdDSA`; the name `Ed25519` (RFC 9864 §2.2) is accepted as well.
    ///
    /// In tokens, JWKs and configurations both names mean the same algorithm, so a key under either
    /// name verifies tokens with either. This is safe: other curves of EdDSA are not supported.
    EdDSA,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 12] = [
        Self::HS256,
        Self::HS384,
        Self::HS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    /// The value of `alg`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HS256 => "HS256",
            Self::HS384 => "HS384",
            Self::HS512 => "HS512",
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The algorithm with this name. Names are case-sensitive (RFC 7515 §4.1.1).
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDSA);
        }
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// Whether signing and verifying use the same secret.
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    /// # Errors
    /// [`Error::ConfigInvalid`] for `algorithm` when the name is unknown.
    fn from_str(name: &str) -> Result<Self, Error> {
        Self::from_name(name).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::config("algorithm", format!("expected one of {known}"))
        })
    }
}

impl TryFrom<String> for Algorithm {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        name.parse()
    }
}

impl From<Algorithm> for &'static str {
    fn from(algorithm: Algorithm) -> Self {
        algorithm.as_str()
    }
}

/// The kind of a key pair. It determines the algorithms that the pair can be used with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA with 2048 to 8192 bits.
    Rsa,
    /// The curve P-256.
    P256,
    /// The curve P-384.
    P384,
    /// Ed25519.
    Ed25519,
}

impl KeyKind {
    /// The usual name; for elliptic curves the `crv` of a JWK.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::Ed25519 => "Ed25519",
        }
    }

    /// The algorithms that such a key can be pinned to.
    pub const fn algorithms(self) -> &'static [Algorithm] {
        use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        match self {
            Self::Rsa => &[RS256, RS384, RS512, PS256, PS384, PS512],
            Self::P256 => &[ES256],
            Self::P384 => &[ES384],
            Self::Ed25519 => &[EdDSA],
        }
    }

    /// The kind that `algorithm` takes; `None` for HMAC, which takes a secret.
    pub const fn of(algorithm: Algorithm) -> Option<Self> {
        use Algorithm::{
            ES256, ES384, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512,
        };
        match algorithm {
            HS256 | HS384 | HS512 => None,
            RS256 | RS384 | RS512 | PS256 | PS384 | PS512 => Some(Self::Rsa),
            ES256 => Some(Self::P256),
            ES384 => Some(Self::P384),
            EdDSA => Some(Self::Ed25519),
        }
    }

    /// The first of [`KeyKind::algorithms`]: to parse a key whose algorithm does not matter.
    pub(super) const fn default_algorithm(self) -> Algorithm {
        match self {
            Self::Rsa => Algorithm::RS256,
            Self::P256 => Algorithm::ES256,
            Self::P384 => Algorithm::ES384,
            Self::Ed25519 => Algorithm::EdDSA,
        }
    }
}

/// The size of the modulus of a new RSA key, in bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RsaBits {
    /// 2048, what most verifiers expect.
    #[default]
    B2048,
    /// 3072, about 128 bits of security.
    B3072,
    /// 4096.
    B4096,
}

/// What to do with an HMAC secret that is shorter than the output of its hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShortSecret {
    /// Reject it (RFC 7518 §3.2).
    #[default]
    Refuse,
    /// Accept it: for an existing app that cannot change its secret now. Anyone who holds one
    /// token can guess a short secret offline.
    Allow,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.to_string().parse::<Algorithm>().unwrap(), algorithm);
            let json = serde_json::to_string(&algorithm).unwrap();
            assert_eq!(json, format!("\"{algorithm}\""));
            assert_eq!(serde_json::from_str::<Algorithm>(&json).unwrap(), algorithm);
        }
        assert_eq!("Ed25519".parse::<Algorithm>().unwrap(), Algorithm::EdDSA);
    }

    #[test]
    fn unknown_names_are_rejected() {
        for name in ["none", "None", "NONE", "", "hs256", "HS256 ", "ES512", "ES256K"] {
            assert!(Algorithm::from_name(name).is_none(), "{name}");
        }
    }

    #[test]
    fn key_kinds_and_algorithms_agree() {
        for algorithm in Algorithm::ALL {
            match KeyKind::of(algorithm) {
                Some(kind) => assert!(kind.algorithms().contains(&algorithm), "{algorithm}"),
                None => assert!(algorithm.is_symmetric(), "{algorithm}"),
            }
        }
    }
}
