//! A proof as it is read: its form and its signature.

use super::TYP_PROOF;
use super::claims::ProofClaims;
use crate::error::{Error, Result};
use crate::keys::{Algorithm, Key, Thumbprint};
use crate::token::jws::{Compact, Header, is_typ};
use crate::token::{base64url, json};

/// The longest proof: one with an RSA key of 8192 bits and a long address has room.
const MAX_BYTES: usize = 8192;

/// A proof that was found to be good for its request (RFC 9449 §4.3); only
/// [`ProofVerifier::check`](super::ProofVerifier::check) makes one.
///
/// It says which key signed it, not that anything is bound to that key.
#[derive(Clone, Debug)]
pub struct Proof {
    pub(super) key: Thumbprint,
    pub(super) id: String,
    pub(super) access_token_hash: Option<String>,
}

impl Proof {
    /// The key that signed it.
    pub const fn thumbprint(&self) -> Thumbprint {
        self.key
    }
}

/// Checks form, type, algorithm, key and signature, in this order.
///
/// # Errors
/// [`Error::DpopProofInvalid`].
pub(super) fn read(text: &str) -> Result<(Thumbprint, ProofClaims)> {
    let form = |_| Error::dpop_proof("it is no compact JWS");
    let compact = Compact::split(text, MAX_BYTES).map_err(form)?;
    let header = base64url::decode_text(compact.header).map_err(form)?;
    let Header { alg, typ, .. } =
        Header::parse(&header).map_err(|_| Error::dpop_proof("its header is not usable"))?;
    if !typ.is_some_and(|typ| is_typ(&typ, TYP_PROOF)) {
        return Err(Error::dpop_proof("its typ is not dpop+jwt"));
    }
    let key = Algorithm::from_name(&alg)
        .filter(|algorithm| !algorithm.is_symmetric())
        .ok_or(Error::dpop_proof("its alg is not one for key pairs"))
        .and_then(|algorithm| key_of(&header, algorithm))?;
    let signature = base64url::decode(compact.signature).map_err(form)?;
    if !key.verify(compact.signing_input.as_bytes(), &signature) {
        return Err(Error::dpop_proof("its signature is not by its key"));
    }
    let public = key.public().ok_or(Error::dpop_proof("its jwk is not usable"))?;
    let payload = base64url::decode_text(compact.payload).map_err(form)?;
    Ok((Thumbprint::of(public)?, ProofClaims::read(&payload)?))
}

/// The one header parameter `jwk` that is ever used: it proves to be itself, and is compared with
/// what a token says.
fn key_of(header: &str, algorithm: Algorithm) -> Result<Key> {
    let unusable = || Error::dpop_proof("its jwk is not usable");
    let header = json::parse_object(header).map_err(|_| unusable())?;
    let jwk = header.get("jwk").and_then(|jwk| jwk.as_object()).ok_or_else(unusable)?;
    Key::from_public_jwk(jwk, algorithm).map_err(|_| unusable())
}
