//! The claims of a proof (RFC 9449 §4.2), read and not yet judged.

use crate::error::{Error, Result};
use crate::token::json::{self, Item, numeric_date};
use crate::types::Timestamp;

/// Longer ones are of no use to anybody.
const LONGEST_ID: usize = 256;

pub(super) struct ProofClaims {
    pub(super) id: String,
    pub(super) method: String,
    pub(super) address: String,
    pub(super) issued_at: Timestamp,
    pub(super) access_token_hash: Option<String>,
    pub(super) nonce: Option<String>,
}

impl ProofClaims {
    pub(super) fn read(payload: &str) -> Result<Self> {
        let [mut jti, mut htm, mut htu, mut iat, mut ath, mut nonce] = [None; 6];
        json::read_object(payload, |name, item| match name {
            "jti" => jti = Some(item),
            "htm" => htm = Some(item),
            "htu" => htu = Some(item),
            "iat" => iat = Some(item),
            "ath" => ath = Some(item),
            "nonce" => nonce = Some(item),
            _ => {}
        })
        .map_err(|_| Error::dpop_proof("its claims are no strict JSON object"))?;
        let id = needed(jti, "its jti is missing or no text")?;
        if id.is_empty() || id.len() > LONGEST_ID {
            return Err(Error::dpop_proof("its jti is empty or too long"));
        }
        let issued_at = iat.and_then(|iat| numeric_date(iat, "iat").ok());
        Ok(Self {
            id,
            method: needed(htm, "its htm is missing or no text")?,
            address: needed(htu, "its htu is missing or no text")?,
            issued_at: issued_at.ok_or(Error::dpop_proof("its iat is missing or no time"))?,
            access_token_hash: optional(ath, "its ath is no text")?,
            nonce: optional(nonce, "its nonce is no text")?,
        })
    }
}

fn needed(item: Option<Item<'_>>, problem: &'static str) -> Result<String> {
    optional(item, problem)?.ok_or(Error::dpop_proof(problem))
}

fn optional(item: Option<Item<'_>>, problem: &'static str) -> Result<Option<String>> {
    let text = |item: Item<'_>| item.text().map(std::borrow::Cow::into_owned);
    item.map(|item| text(item).ok_or(Error::dpop_proof(problem))).transpose()
}
