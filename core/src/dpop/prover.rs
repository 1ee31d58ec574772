//! Makes proofs: the client's side.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{TYP_PROOF, access_token_hash};
use crate::error::{Cause, Error, Result};
use crate::keys::Algorithm;
use crate::token::{base64url, jws};
use crate::types::Timestamp;

/// A private key that signs proofs: one in memory ([`SoftwareKey`](super::SoftwareKey)), or one
/// that a device keeps to itself.
pub trait ProofKey: Send + Sync + fmt::Debug {
    /// What it signs by: one for key pairs, most often [`Algorithm::ES256`].
    fn algorithm(&self) -> Algorithm;

    /// The public part as a JWK (RFC 7517 §4): the required members alone.
    fn public_jwk(&self) -> Map<String, Value>;

    /// The signature of `message` in the form of RFC 7518 §3 (`r ‖ s` for ECDSA).
    ///
    /// # Errors
    /// When the key cannot be used, as while a device is locked.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Cause>;
}

/// What a proof is for.
#[derive(Clone, Copy, Debug)]
pub struct Prover<'a> {
    /// The method of the request, in capitals.
    pub method: &'a str,
    /// Its address; query, fragment and user are left out, `wss` is `https`.
    pub url: &'a str,
    /// The present by the *server's* clock, as far as it is known.
    pub now: Timestamp,
    /// The nonce that the server gave last (`DPoP-Nonce`).
    pub nonce: Option<&'a str>,
    /// The access token that goes with the request; none with a refresh.
    pub access_token: Option<&'a str>,
}

#[derive(Serialize)]
struct ProofHeader {
    typ: &'static str,
    alg: &'static str,
    jwk: Map<String, Value>,
}

#[derive(Serialize)]
struct ProofPayload<'a> {
    jti: String,
    htm: &'a str,
    htu: &'a str,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ath: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

/// An address as proofs name it (RFC 9449 §4.2): without query and fragment, without a user, and as
/// HTTP where it is one of a WebSocket, which begins as a request of HTTP (RFC 6455 §4.1).
fn address_of(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "ws" => "http".to_owned(),
        "wss" => "https".to_owned(),
        _ => scheme.to_owned(),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

impl Prover<'_> {
    /// A new proof by `key`, for the header `DPoP`. It is good for one request.
    ///
    /// # Errors
    /// [`Error::Internal`] when the key cannot sign, or for want of randomness.
    pub fn prove(&self, key: &dyn ProofKey) -> Result<String> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| Error::internal("no randomness"))?;
        let header =
            ProofHeader { typ: TYP_PROOF, alg: key.algorithm().as_str(), jwk: key.public_jwk() };
        let payload = ProofPayload {
            jti: base64url::encode(&id),
            htm: self.method,
            htu: &address_of(self.url),
            iat: self.now.as_seconds(),
            ath: self.access_token.map(access_token_hash),
            nonce: self.nonce,
        };
        let encode = |problem: serde_json::Error| Error::internal(problem.to_string());
        let header = base64url::encode(&serde_json::to_vec(&header).map_err(encode)?);
        let payload = serde_json::to_string(&payload).map_err(encode)?;
        jws::encode(&header, &payload, |message| {
            key.sign(message).map_err(|cause| Error::internal(format!("a proof: {cause}")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_named_as_the_server_knows_it() {
        for (url, named) in [
            ("https://api.example/me?x=y#z", "https://api.example/me"),
            ("https://user:pa@ss@api.example:8443/me@home", "https://api.example:8443/me@home"),
            ("wss://api.example", "https://api.example"),
            ("WS://api.example/live", "http://api.example/live"),
            ("/me", "/me"),
            ("", ""),
        ] {
            assert_eq!(address_of(url), named);
        }
    }
}
