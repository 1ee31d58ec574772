//! The server's side: checks proofs (RFC 9449 §4.3), without I/O.
//!
//! A proof passes two checks. [`ProofVerifier::verify`] checks its format, its signature and that it
//! is for this request. Then it is *consumed*, for a token that is bound to its key or at a login,
//! and every later use of it is refused.

mod nonce;
mod replay;

pub use nonce::NonceIssuer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use subtle::ConstantTimeEq as _;
use url::Url;

use super::{TYP_PROOF, access_token_hash};
use crate::access::VerifiedAccess;
use crate::error::{Error, Result};
use crate::keys::public_key::check_binding;
use crate::keys::{Algorithm, Key, PublicKey, Thumbprint};
use crate::token::base64url;
use crate::token::json::{self, Item, numeric_date};
use crate::token::jws::{Compact, Header, is_typ};
use crate::types::{Clock, Timestamp};
use replay::UsedProofs;

/// How proofs are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProofPolicy {
    /// How long after its `iat` a proof is accepted. Default 60 seconds. Not checked for a proof
    /// with a nonce, whose age the nonce tells (RFC 9449 §11.1).
    pub max_age: Duration,
    /// How far in the future `iat` may be. Default 10 seconds.
    pub leeway: Duration,
    /// How many used proofs this process remembers, to refuse replays. Default 100,000, about 10 MB.
    /// When the limit is reached, requests are refused until the oldest proofs have expired. One key
    /// has a share of a hundredth.
    pub capacity: usize,
}

impl Default for ProofPolicy {
    fn default() -> Self {
        let (max_age, leeway) = (Duration::from_secs(60), Duration::from_secs(10));
        Self { max_age, leeway, capacity: 100_000 }
    }
}

/// Checks proofs. Used proofs are remembered per process: where several processes serve one URL,
/// nonces ([`NonceIssuer`]) bound for how long a proof could be replayed at another process.
#[derive(Debug)]
pub struct ProofVerifier {
    origins: Vec<String>,
    policy: ProofPolicy,
    nonces: Option<NonceIssuer>,
    used: UsedProofs,
    clock: Arc<dyn Clock>,
}

impl ProofVerifier {
    /// A verifier with this policy. With `nonces`, every proof must have one of them.
    pub fn new(policy: ProofPolicy, nonces: Option<NonceIssuer>, clock: Arc<dyn Clock>) -> Self {
        let lifetime = match &nonces {
            Some(nonces) => nonces.max_age(),
            None => policy.max_age + policy.leeway,
        };
        let used = UsedProofs::new(lifetime, policy.capacity);
        Self { origins: Vec::new(), policy, nonces, used, clock }
    }

    /// Sets the origins by which clients reach this server, such as `https://api.example`, for
    /// [`verify_request`](Self::verify_request).
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `dpop.origin` when there is none, or one has more than scheme,
    /// host and port.
    pub fn with_origins(mut self, origins: Vec<String>) -> Result<Self> {
        check_origins(&origins)?;
        self.origins = origins;
        Ok(self)
    }

    /// The nonces, where proofs must have one.
    pub fn nonces(&self) -> Option<&NonceIssuer> {
        self.nonces.as_ref()
    }

    /// The nonce for the header `DPoP-Nonce` of responses, where proofs must have one.
    pub fn nonce(&self) -> Option<String> {
        self.nonces.as_ref().map(|nonces| nonces.current(self.clock.now()))
    }

    /// Checks `proof` as [`verify`](Self::verify) does, for its request at one of the origins.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_request(&self, proof: &PresentedProof) -> Result<VerifiedProof> {
        let PresentedProof { proof, method, path } = proof;
        if !path.starts_with('/') {
            return Err(Error::dpop_proof("the request has no path"));
        }
        let target = |origin| ProofTarget::new(method, &format!("{origin}{path}"));
        self.verify(proof, &self.origins.iter().map(target).collect::<Result<Vec<_>>>()?)
    }

    /// Checks and consumes the proof of a request with a token that is bound to `key`. `access_token`
    /// is the token where it is an access token. The token must be verified before, because a proof
    /// costs a signature by an algorithm of its sender's choice.
    ///
    /// # Errors
    /// As [`verify`](Self::verify) and [`consume_bound`](Self::consume_bound).
    pub fn verify_and_consume(
        &self,
        proof: &PresentedProof,
        key: Thumbprint,
        access_token: Option<&str>,
    ) -> Result<()> {
        self.consume_bound(&self.verify_request(proof)?, key, access_token)
    }

    /// [`verify_and_consume`](Self::verify_and_consume) for an access token that was verified as
    /// `access`.
    ///
    /// # Errors
    /// As [`verify_and_consume`](Self::verify_and_consume), and [`Error::DpopProofInvalid`] for a token
    /// that is not bound: a thief of the token has a key too.
    pub(crate) fn check_access(
        &self,
        proof: &PresentedProof,
        access: &VerifiedAccess,
        token: &str,
    ) -> Result<()> {
        let key = access.key().ok_or(Error::dpop_proof("the access token is not DPoP-bound"))?;
        self.verify_and_consume(proof, key, Some(token))
    }

    /// Checks the format and signature of `proof`, and that it is for this request. A server that
    /// is reached by several names passes a target for each.
    ///
    /// # Errors
    /// [`Error::DpopProofInvalid`] for its format, signature, `htm`, `htu` or `iat`;
    /// [`Error::DpopNonceRequired`].
    pub fn verify(&self, proof: &str, targets: &[ProofTarget]) -> Result<VerifiedProof> {
        let (key, claims) = read(proof)?;
        if !targets.iter().any(|target| target.matches(&claims.method, &claims.url)) {
            return Err(Error::dpop_proof("htm and htu are of another request"));
        }
        let now = self.clock.now();
        match &self.nonces {
            Some(nonces) => {
                if !claims.nonce.is_some_and(|nonce| nonces.accepts(&nonce, now)) {
                    return Err(Error::DpopNonceRequired { nonce: nonces.current(now) });
                }
            }
            None => {
                let issued_at = claims.issued_at;
                if issued_at > now.plus(self.policy.leeway)
                    || now >= issued_at.plus(self.policy.max_age)
                {
                    return Err(Error::dpop_proof("iat is too old or in the future"));
                }
            }
        }
        Ok(VerifiedProof { key, id: claims.id, access_token_hash: claims.access_token_hash })
    }

    /// Consumes a proof, for the login of a session that is to be bound to its key.
    ///
    /// # Errors
    /// [`Error::DpopProofReplayed`]; [`Error::StoreUnavailable`] when no more used proofs can be
    /// remembered, of this key or of any.
    pub fn consume(&self, proof: &VerifiedProof) -> Result<Thumbprint> {
        self.used.insert(&proof.key, &proof.id, self.clock.now())?;
        Ok(proof.key)
    }

    /// Consumes a proof for a token that is bound to `key`. `access_token` is the token where it is
    /// an access token.
    ///
    /// # Errors
    /// [`Error::DpopProofInvalid`] for another key or another access token, and as
    /// [`consume`](Self::consume).
    pub fn consume_bound(
        &self,
        proof: &VerifiedProof,
        key: Thumbprint,
        access_token: Option<&str>,
    ) -> Result<()> {
        check_binding(Some(key), Some(proof.key))?;
        if let Some(token) = access_token {
            let expected = access_token_hash(token);
            let is_for = |hash: &String| bool::from(hash.as_bytes().ct_eq(expected.as_bytes()));
            if !proof.access_token_hash.as_ref().is_some_and(is_for) {
                return Err(Error::dpop_proof("ath is missing or of another access token"));
            }
        }
        self.consume(proof).map(drop)
    }
}

/// The value of the header `DPoP` and the request that it must be for, not checked yet.
#[derive(Clone, PartialEq, Eq)]
pub struct PresentedProof {
    proof: String,
    method: String,
    path: String,
}

impl PresentedProof {
    /// `proof` as it came with a request of `method` to `path`. A query after the path is ignored.
    pub fn new(
        proof: impl Into<String>,
        method: impl Into<String>,
        path: impl Into<String>,
    ) -> Self {
        Self { proof: proof.into(), method: method.into(), path: path.into() }
    }
}

/// Without the proof: it is as good as a secret until it is used.
impl fmt::Debug for PresentedProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedProof").field("method", &self.method).finish_non_exhaustive()
    }
}

/// A proof that is good for its request (RFC 9449 §4.3); only [`ProofVerifier::verify`] makes one.
///
/// It says which key signed it, not that anything is bound to that key.
#[derive(Clone, Debug)]
pub struct VerifiedProof {
    key: Thumbprint,
    id: String,
    access_token_hash: Option<String>,
}

impl VerifiedProof {
    /// The thumbprint of the key that signed the proof.
    pub const fn thumbprint(&self) -> Thumbprint {
        self.key
    }
}

/// The method and URL of a request, which the claims `htm` and `htu` of a proof must name.
///
/// URLs are compared without query and fragment (RFC 9449 §4.3), and after the normalisation of
/// RFC 3986 §6.2.2 and §6.2.3: case of scheme and host, default port, dot segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofTarget {
    method: String,
    url: String,
}

impl ProofTarget {
    /// A request of `method` to `url`: the URL that clients use, not what a proxy makes of it.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `url` when it is not an absolute `http` or `https` URL.
    pub fn new(method: &str, url: &str) -> Result<Self> {
        let url = normalise(url).ok_or_else(|| Error::config("url", "is not an http address"))?;
        Ok(Self { method: method.to_owned(), url })
    }

    /// Methods are case-sensitive (RFC 9110 §9.1).
    fn matches(&self, method: &str, url: &str) -> bool {
        self.method == method && normalise(url).is_some_and(|url| url == self.url)
    }
}

fn normalise(url: &str) -> Option<String> {
    let mut url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    url.set_query(None);
    url.set_fragment(None);
    Some(with_upper_case_escapes(url.as_str()))
}

/// `%7e` and `%7E` are the same (RFC 3986 §6.2.2.1).
fn with_upper_case_escapes(url: &str) -> String {
    let mut escaped = 0;
    let letters = url.chars().map(|letter| {
        if letter == '%' {
            escaped = 2;
            return letter;
        }
        if escaped == 0 {
            return letter;
        }
        escaped -= 1;
        letter.to_ascii_uppercase()
    });
    letters.collect()
}

/// Checks that these are the origins of a server.
///
/// # Errors
/// [`Error::ConfigInvalid`] for `dpop.origin`.
pub(crate) fn check_origins(origins: &[String]) -> Result<()> {
    if origins.is_empty() {
        return Err(Error::config("dpop.origin", "must name at least one origin"));
    }
    let is_origin = |origin: &String| {
        Url::parse(origin).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.origin().ascii_serialization() == *origin
        })
    };
    if origins.iter().all(is_origin) {
        return Ok(());
    }
    Err(Error::config("dpop.origin", "must be an origin, such as https://api.example"))
}

/// The longest proof, in bytes. An RSA key of 4096 bits with a long URL fits.
const MAX_BYTES: usize = 8192;

/// The largest RSA modulus of a proof's key. The time of a verification grows with the square of the
/// size, and anyone can send a proof. Configured keys and key sets may be larger.
const RSA_MAX_BITS: usize = 4096;

/// The longest `jti`, in bytes.
const MAX_ID: usize = 256;

/// Checks format, type, algorithm, key and signature, in this order.
///
/// # Errors
/// [`Error::DpopProofInvalid`].
fn read(proof: &str) -> Result<(Thumbprint, ProofClaims)> {
    let malformed = |_| Error::dpop_proof("not a compact JWS");
    let compact = Compact::split(proof, MAX_BYTES).map_err(malformed)?;
    let header = base64url::decode_text(compact.header).map_err(malformed)?;
    let Header { alg, typ, .. } =
        Header::parse(&header).map_err(|_| Error::dpop_proof("the header is malformed"))?;
    if !typ.is_some_and(|typ| is_typ(&typ, TYP_PROOF)) {
        return Err(Error::dpop_proof("typ is not dpop+jwt"));
    }
    let key = Algorithm::from_name(&alg)
        .filter(|algorithm| !algorithm.is_symmetric())
        .ok_or(Error::dpop_proof("alg is not an asymmetric algorithm"))
        .and_then(|algorithm| embedded_key(&header, algorithm))?;
    let signature = base64url::decode(compact.signature).map_err(malformed)?;
    if !key.verify(compact.signing_input.as_bytes(), &signature) {
        return Err(Error::dpop_proof("the signature does not match jwk"));
    }
    let public = key.public().ok_or(Error::dpop_proof(UNUSABLE_JWK))?;
    let payload = base64url::decode_text(compact.payload).map_err(malformed)?;
    Ok((Thumbprint::of(public)?, ProofClaims::read(&payload)?))
}

const UNUSABLE_JWK: &str = "jwk is missing or unusable";

/// The key in the header parameter `jwk`. Proofs are the only place where such a key is used: it
/// proves nothing but itself, and is compared with the thumbprint in a token.
fn embedded_key(header: &str, algorithm: Algorithm) -> Result<Key> {
    let unusable = || Error::dpop_proof(UNUSABLE_JWK);
    let header = json::parse_object(header).map_err(|_| unusable())?;
    let jwk = header.get("jwk").and_then(|jwk| jwk.as_object()).ok_or_else(unusable)?;
    let key = Key::from_public_jwk(jwk, algorithm).map_err(|_| unusable())?;
    if key.public().and_then(PublicKey::rsa_bits).is_some_and(|bits| bits > RSA_MAX_BITS) {
        return Err(Error::dpop_proof("jwk is an RSA key of more than 4096 bits"));
    }
    Ok(key)
}

/// The claims of a proof (RFC 9449 §4.2), not yet compared with the request.
struct ProofClaims {
    id: String,
    method: String,
    url: String,
    issued_at: Timestamp,
    access_token_hash: Option<String>,
    nonce: Option<String>,
}

impl ProofClaims {
    fn read(payload: &str) -> Result<Self> {
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
        .map_err(|_| Error::dpop_proof("the claims are not a strict JSON object"))?;
        let id = required(jti, "jti is missing or not a string")?;
        if id.is_empty() || id.len() > MAX_ID {
            return Err(Error::dpop_proof("jti is empty or too long"));
        }
        let issued_at = iat.and_then(|iat| numeric_date(iat, "iat").ok());
        Ok(Self {
            id,
            method: required(htm, "htm is missing or not a string")?,
            url: required(htu, "htu is missing or not a string")?,
            issued_at: issued_at.ok_or(Error::dpop_proof("iat is missing or not a time"))?,
            access_token_hash: optional(ath, "ath is not a string")?,
            nonce: optional(nonce, "nonce is not a string")?,
        })
    }
}

fn required(item: Option<Item<'_>>, problem: &'static str) -> Result<String> {
    optional(item, problem)?.ok_or(Error::dpop_proof(problem))
}

fn optional(item: Option<Item<'_>>, problem: &'static str) -> Result<Option<String>> {
    let text = |item: Item<'_>| item.text().map(std::borrow::Cow::into_owned);
    item.map(|item| text(item).ok_or(Error::dpop_proof(problem))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_match_without_query_and_after_normalisation() {
        let target = ProofTarget::new("POST", "https://api.example/auth/refresh?a=b").unwrap();
        for same in [
            "https://api.example/auth/refresh",
            "https://api.example/auth/refresh?x#y",
            "HTTPS://API.example:443/auth/refresh",
            "https://api.example/other/../auth/./refresh",
        ] {
            assert!(target.matches("POST", same), "{same}");
        }
        for other in [
            "http://api.example/auth/refresh",
            "https://api.example:8443/auth/refresh",
            "https://api.example/auth/refresh/",
            "https://api.example/Auth/refresh",
            "https://evil.example/auth/refresh",
            "/auth/refresh",
            "",
        ] {
            assert!(!target.matches("POST", other), "{other}");
        }
        assert!(!target.matches("GET", "https://api.example/auth/refresh"));
        assert!(!target.matches("post", "https://api.example/auth/refresh"));
        let escaped = ProofTarget::new("GET", "https://api.example/%7euser").unwrap();
        assert!(escaped.matches("GET", "https://api.example/%7Euser"));
        let root = ProofTarget::new("GET", "https://api.example").unwrap();
        assert!(root.matches("GET", "https://api.example/"));
    }

    #[test]
    fn a_target_needs_an_absolute_http_url() {
        for bad in ["", "/path", "ftp://api.example/", "not an address"] {
            let target = ProofTarget::new("GET", bad);
            assert!(matches!(target, Err(Error::ConfigInvalid { .. })), "{bad}");
        }
    }
}
