//! Which kind of token a header announces (RFC 8725 §3.11), and the headers that need no reading.

use crate::error::{Error, Result};
use crate::keys::{Candidates, Key, Keyring};
use crate::token::base64url;
use crate::token::jws::{self, Header, TYP_ACCESS, TYP_JWT};

/// The kinds of token that can pass for an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `typ: at+jwt`.
    Access,
    /// No `typ`, or `JWT`: what apps wrote that did not tell their tokens apart.
    Legacy,
}

impl Kind {
    fn of(typ: Option<&str>) -> Option<Self> {
        match typ {
            None => Some(Self::Legacy),
            Some(typ) if jws::is_typ(typ, TYP_ACCESS) => Some(Self::Access),
            Some(typ) if jws::is_typ(typ, TYP_JWT) => Some(Self::Legacy),
            Some(_) => None,
        }
    }
}

/// What the header of a token decided.
#[derive(Clone, Copy)]
pub(super) struct Announced {
    /// The keys that may have signed it.
    pub(super) candidates: Candidates,
    /// Its kind; `None` for one that is never an access token.
    pub(super) kind: Option<Kind>,
}

/// The headers that the keys of a ring are expected to write, encoded.
///
/// Nearly every token has one of them, byte for byte; comparing is a tenth of the work of
/// decoding and reading. All others are read in full.
pub(super) struct KnownHeaders(Vec<(String, Announced)>);

impl KnownHeaders {
    /// The headers of `keyring`: as issued here, and as most libraries write them.
    pub(super) fn of(keyring: &Keyring) -> Result<Self> {
        let mut known = Vec::with_capacity(keyring.keys().len() * 2);
        for key in keyring.keys() {
            for (typ, kind) in [(TYP_ACCESS, Kind::Access), (TYP_JWT, Kind::Legacy)] {
                let candidates =
                    keyring.candidates(key.algorithm().as_str(), key.id().map(|id| id.as_str()))?;
                known.push((encoded(key, typ)?, Announced { candidates, kind: Some(kind) }));
            }
        }
        Ok(Self(known))
    }

    /// Looks the encoded header up, or reads it.
    pub(super) fn announced(&self, encoded: &str, keyring: &Keyring) -> Result<Announced> {
        if let Some((_, announced)) = self.0.iter().find(|(known, _)| known == encoded) {
            return Ok(*announced);
        }
        let text = base64url::decode_text(encoded)?;
        let header = Header::parse(&text)?;
        let candidates = keyring.candidates(&header.alg, header.kid.as_deref())?;
        Ok(Announced { candidates, kind: Kind::of(header.typ.as_deref()) })
    }
}

/// The encoded header that `key` writes.
pub(super) fn encoded(key: &Key, typ: &str) -> Result<String> {
    jws::encode_header(key.algorithm().as_str(), typ, key.id().map(|id| id.as_str()))
}

/// # Errors
/// [`Error::TypMismatch`] for a kind that is not accepted.
pub(super) fn accept(kind: Option<Kind>, legacy_accepted: bool) -> Result<Kind> {
    kind.filter(|kind| *kind == Kind::Access || legacy_accepted).ok_or(Error::TypMismatch)
}
