//! The kinds of key pairs.

use super::algorithm::Algorithm;

/// The kind of a key pair, which says what algorithms it can be used with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA, of 2048 bits or more.
    Rsa,
    /// A point of the curve P-256.
    P256,
    /// A point of the curve P-384.
    P384,
    /// Ed25519.
    Ed25519,
}

impl KeyKind {
    /// The name that people use, and the `crv` of its JWK.
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

    /// The kind that `algorithm` needs; `None` for those that take a secret.
    pub fn of(algorithm: Algorithm) -> Option<Self> {
        let kinds = [Self::Rsa, Self::P256, Self::P384, Self::Ed25519];
        kinds.into_iter().find(|kind| kind.algorithms().contains(&algorithm))
    }

    /// One of [`KeyKind::algorithms`]: for reading a key any of them does.
    pub(super) const fn representative(self) -> Algorithm {
        match self {
            Self::Rsa => Algorithm::RS256,
            Self::P256 => Algorithm::ES256,
            Self::P384 => Algorithm::ES384,
            Self::Ed25519 => Algorithm::EdDSA,
        }
    }
}
