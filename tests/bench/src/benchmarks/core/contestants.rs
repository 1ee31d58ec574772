//! The contestants: regrant, the crate `jsonwebtoken`, and the signature check alone.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use aws_lc_rs::signature::{self as aws, ParsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{DecodingKey, Validation};
use regrant::access::{AccessPolicy, AccessVerifier};
use regrant::internal::{AccessGrant, AccessIssuer};
use regrant::keys::{Algorithm, Key, KeyPair, Keyring, ShortSecret};
use regrant::types::{Clock, FamilyPosition, SecretBytes, SessionId, Subject, SystemClock};
use sha2::Sha256;

const ISSUER: &str = "https://app.example";
const AUDIENCE: &str = "api";
const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A contestant, which verifies the same token with each call.
pub(super) struct Contestant {
    pub(super) name: &'static str,
    pub(super) verify: Box<dyn Fn() -> Result<()>>,
}

pub(super) const REGRANT: &str = "regrant";
pub(super) const CRATE: &str = "jsonwebtoken";
pub(super) const BARE: &str = "signature alone";

/// All contestants, each with its key prepared.
pub(super) fn contestants(algorithm: Algorithm) -> Result<Vec<Contestant>> {
    let (signing, verifying, public) = match algorithm {
        Algorithm::HS256 => (hmac_key()?, hmac_key()?, None),
        _ => {
            let pair = KeyPair::generate(algorithm)?;
            let private = std::str::from_utf8(pair.private_pem().expose())?;
            let public = pair.public().to_pem()?;
            let verifying = Key::public_pem(algorithm, &public)?;
            (Key::private_pem(algorithm, private)?, verifying, Some(public))
        }
    };
    let token = issue(signing)?;
    Ok(vec![
        regrant(verifying, token.clone())?,
        jsonwebtoken(algorithm, public.as_deref(), token.clone())?,
        bare(algorithm, public.as_deref(), &token)?,
    ])
}

fn hmac_key() -> Result<Key> {
    Ok(Key::hmac(Algorithm::HS256, &SecretBytes::new(SECRET), ShortSecret::Refuse)?)
}

fn policy() -> Result<AccessPolicy> {
    Ok(AccessPolicy::builder().issuer(ISSUER).audience(AUDIENCE).build()?)
}

fn issue(key: Key) -> Result<String> {
    let issuer = AccessIssuer::new(Keyring::single(key), policy()?, clock())?;
    let grant = AccessGrant {
        subject: Subject::new("user-123456")?,
        session: Some(SessionId::from_bytes([7; 16])),
        key: None,
        family_position: Some(FamilyPosition { generation: 3, branch: 0 }),
        claims: Default::default(),
    };
    Ok(issuer.issue(&grant)?.token.expose().to_owned())
}

fn regrant(key: Key, token: String) -> Result<Contestant> {
    let verifier = AccessVerifier::new(Keyring::single(key), policy()?, clock())?;
    let verify = Box::new(move || {
        black_box(verifier.verify(&token)?);
        Ok(())
    });
    Ok(Contestant { name: REGRANT, verify })
}

fn jsonwebtoken(algorithm: Algorithm, public: Option<&str>, token: String) -> Result<Contestant> {
    let key = match (algorithm, public.map(str::as_bytes)) {
        (Algorithm::RS256, Some(pem)) => DecodingKey::from_rsa_pem(pem)?,
        (Algorithm::ES256, Some(pem)) => DecodingKey::from_ec_pem(pem)?,
        (Algorithm::EdDSA, Some(pem)) => DecodingKey::from_ed_pem(pem)?,
        _ => DecodingKey::from_secret(SECRET.as_bytes()),
    };
    let mut rules = Validation::new(algorithm.as_str().parse()?);
    rules.set_audience(&[AUDIENCE]);
    rules.set_issuer(&[ISSUER]);
    rules.leeway = 0;
    let verify = Box::new(move || {
        black_box(jsonwebtoken::decode::<serde_json::Value>(&token, &key, &rules)?);
        Ok(())
    });
    Ok(Contestant { name: CRATE, verify })
}

/// Checks the decoded signature with the library that regrant uses.
fn bare(algorithm: Algorithm, public: Option<&str>, token: &str) -> Result<Contestant> {
    let (message, signature) = token.rsplit_once('.').context("no token")?;
    let message = message.to_owned();
    let signature = URL_SAFE_NO_PAD.decode(signature)?;
    let scheme: &'static dyn aws::VerificationAlgorithm = match algorithm {
        Algorithm::HS256 => {
            let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?;
            let verify = Box::new(move || {
                let mac = mac.clone().chain_update(&message);
                Ok(mac.verify_slice(&signature)?)
            });
            return Ok(Contestant { name: BARE, verify });
        }
        Algorithm::RS256 => &aws::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::ES256 => &aws::ECDSA_P256_SHA256_FIXED,
        Algorithm::EdDSA => &aws::ED25519,
        other => bail!("{other} is not measured"),
    };
    let der = pem::parse(public.context("no public key")?)?.into_contents();
    let key = ParsedPublicKey::new(scheme, der)?;
    let verify = Box::new(move || Ok(key.verify_sig(message.as_bytes(), &signature)?));
    Ok(Contestant { name: BARE, verify })
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}
