//! The header of an access token: which type it names (RFC 8725 §3.11) and which keys may have
//! signed it.

use crate::error::{Error, Result};
use crate::keys::{Candidates, Key, Keyring};
use crate::token::base64url;
use crate::token::jws::{self, Header, TYP_ACCESS, TYP_JWT};

/// The types of token that an access token can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenType {
    /// `typ: at+jwt` (RFC 9068 §2.1).
    Access,
    /// No `typ`, or `JWT`: from a legacy app, which did not tell its tokens apart.
    Legacy,
}

impl TokenType {
    fn from_typ(typ: Option<&str>) -> Option<Self> {
        match typ {
            None => Some(Self::Legacy),
            Some(typ) if jws::is_typ(typ, TYP_ACCESS) => Some(Self::Access),
            Some(typ) if jws::is_typ(typ, TYP_JWT) => Some(Self::Legacy),
            Some(_) => None,
        }
    }
}

/// What the verifier takes from a header.
#[derive(Clone, Copy)]
pub(super) struct ParsedHeader {
    /// The keys that may have signed the token.
    pub(super) candidates: Candidates,
    /// `None` for a type that is never an access token.
    token_type: Option<TokenType>,
}

impl ParsedHeader {
    /// The type of the token.
    ///
    /// # Errors
    /// [`Error::TypMismatch`] for a type that is not accepted.
    pub(super) fn accept(&self, legacy_accepted: bool) -> Result<TokenType> {
        self.token_type
            .filter(|token_type| *token_type == TokenType::Access || legacy_accepted)
            .ok_or(Error::TypMismatch)
    }
}

/// The encoded headers that the keys of a keyring are expected to write, already parsed.
///
/// Nearly every token has one of them, byte for byte, and a comparison takes a tenth of the time of
/// decoding and parsing.
pub(super) struct HeaderCache(Vec<(String, ParsedHeader)>);

impl HeaderCache {
    /// The headers of `keyring`: as issued here, and as most libraries write them.
    pub(super) fn new(keyring: &Keyring) -> Result<Self> {
        let mut known = Vec::with_capacity(keyring.keys().len() * 2);
        for key in keyring.keys() {
            for (typ, token_type) in [(TYP_ACCESS, TokenType::Access), (TYP_JWT, TokenType::Legacy)]
            {
                let key_id = key.id().map(|id| id.as_str());
                let candidates = keyring.candidates(key.algorithm().as_str(), key_id)?;
                let parsed = ParsedHeader { candidates, token_type: Some(token_type) };
                known.push((encode(key, typ)?, parsed));
            }
        }
        Ok(Self(known))
    }

    /// Looks up the encoded header, or decodes and parses it.
    pub(super) fn parse(&self, encoded: &str, keyring: &Keyring) -> Result<ParsedHeader> {
        if let Some((_, parsed)) = self.0.iter().find(|(known, _)| known == encoded) {
            return Ok(*parsed);
        }
        let text = base64url::decode_text(encoded)?;
        let header = Header::parse(&text)?;
        let candidates = keyring.candidates(&header.alg, header.kid.as_deref())?;
        Ok(ParsedHeader { candidates, token_type: TokenType::from_typ(header.typ.as_deref()) })
    }
}

/// The encoded header of a token of type `typ` that `key` signs.
pub(super) fn encode(key: &Key, typ: &str) -> Result<String> {
    jws::encode_header(key.algorithm().as_str(), typ, key.id().map(|id| id.as_str()))
}
