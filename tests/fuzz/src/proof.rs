//! DPoP proofs (RFC 9449): any text, and any signed header and claims.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use p256::EncodedPoint;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use regrant::Error;
use regrant::dpop::{
    ProofKey as _, ProofPolicy, ProofTarget, ProofVerifier, SoftwareKey, VerifiedProof,
};
use regrant::types::SecretBytes;
use serde_json::{Map, Value};

use crate::keys::{self, NOW};
use crate::reference::{base64url, json, jws};

const PEM: &str = include_str!("../../vectors/keys/test-only-p256-a.private.pem");
const METHOD: &str = "POST";
const URL: &str = "https://api.example/auth/refresh";

static KEY: LazyLock<SoftwareKey> =
    LazyLock::new(|| SoftwareKey::from_pem(&SecretBytes::new(PEM)).expect("a key"));

/// A header and claims, each on a line, are signed; anything else is a proof. `JWK` in the header
/// stands for the signing key.
pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let proof = match text.split_once('\n') {
        Some((header, claims)) => signed(&header.replace("JWK", &jwk()), claims),
        None => text.to_owned(),
    };
    let verifier = ProofVerifier::new(ProofPolicy::default(), None, keys::clock());
    let target = ProofTarget::new(METHOD, URL).expect("an address");
    match verifier.verify(&proof, &[target]) {
        Ok(checked) => {
            is_entitled(&proof, &checked);
            verifier.consume(&checked).expect("the first time");
            assert!(matches!(verifier.consume(&checked), Err(Error::DpopProofReplayed)));
        }
        Err(Error::DpopProofInvalid { .. }) => assert!(!is_plain(&proof), "refused: {proof}"),
        Err(error) => panic!("{error:?}"),
    }
}

fn jwk() -> String {
    Value::Object(KEY.public_jwk()).to_string()
}

fn signed(header: &str, claims: &str) -> String {
    let input = [header, claims].map(|part| base64url::encode(part.as_bytes())).join(".");
    let signature = KEY.sign(input.as_bytes()).expect("a signature");
    format!("{input}.{}", base64url::encode(&signature))
}

/// Checks, without the core, the signature by the key in the header and the claims that RFC 9449 §4.3
/// requires.
fn is_entitled(proof: &str, checked: &VerifiedProof) {
    let (header, claims) = read(proof).expect("two objects");
    // The fuzzer has no other private key.
    assert_eq!(header["alg"], "ES256");
    let jwk = header["jwk"].as_object().expect("a key");
    assert!(["d", "k", "p"].iter().all(|private| !jwk.contains_key(*private)));
    assert!(is_by(jwk, proof), "not signed by jwk");
    assert_eq!(checked.thumbprint().to_string(), thumbprint(jwk));
    let typ = header["typ"].as_str().expect("a type").to_ascii_lowercase();
    assert_eq!(typ.strip_prefix("application/").unwrap_or(&typ), "dpop+jwt");
    assert!(!header.contains_key("crit"));
    assert!(!claims["jti"].as_str().expect("a name").is_empty());
    assert_eq!(claims["htm"], METHOD);
    let url = claims["htu"].as_str().expect("an address").to_ascii_lowercase();
    assert!(url.contains("api.example") && url.contains("refresh"), "{url}");
    let issued_at = claims["iat"].as_f64().expect("a time");
    #[allow(clippy::cast_precision_loss, reason = "not that late")]
    let age = NOW as f64 - issued_at;
    assert!((-10.0..60.0).contains(&age), "{age}");
    assert!(claims.get("ath").is_none_or(Value::is_string));
    assert!(claims.get("nonce").is_none_or(Value::is_string));
}

/// Whether the proof is as clients write it, so that it must be accepted.
fn is_plain(proof: &str) -> bool {
    let Some((header, claims)) = read(proof) else { return false };
    let (Some(jwk), Some(jti)) = (header.get("jwk").and_then(Value::as_object), claims.get("jti"))
    else {
        return false;
    };
    header.len() == 3
        && header.get("typ").is_some_and(|typ| typ == "dpop+jwt")
        && header.get("alg").is_some_and(|alg| alg == "ES256")
        && *jwk == KEY.public_jwk()
        && claims.len() == 4
        && jti.as_str().is_some_and(|jti| (1..=64).contains(&jti.len()))
        && claims.get("htm").is_some_and(|method| method == METHOD)
        && claims.get("htu").is_some_and(|url| url == URL)
        && claims.get("iat").and_then(Value::as_i64) == Some(NOW)
        && is_by(jwk, proof)
}

fn read(proof: &str) -> Option<(Map<String, Value>, Map<String, Value>)> {
    let parts = jws::split(proof)?;
    let object = |bytes: Vec<u8>| json::object(&String::from_utf8(bytes).ok()?);
    Some((object(parts.header)?, object(parts.payload)?))
}

/// Verifies with RustCrypto, where the core uses AWS-LC.
fn is_by(jwk: &Map<String, Value>, proof: &str) -> bool {
    let coordinate = |name: &str| base64url::decode(jwk.get(name)?.as_str()?)?.try_into().ok();
    let (Some(x), Some(y)) = (coordinate("x"), coordinate("y")) else { return false };
    let (x, y): ([u8; 32], [u8; 32]) = (x, y);
    let point = EncodedPoint::from_affine_coordinates(&x.into(), &y.into(), false);
    let Ok(key) = VerifyingKey::from_encoded_point(&point) else { return false };
    let Some(signature) = jws::split(proof).map(|parts| parts.signature) else { return false };
    let (input, _) = proof.rsplit_once('.').expect("three parts");
    Signature::from_slice(&signature)
        .is_ok_and(|signature| key.verify(input.as_bytes(), &signature).is_ok())
}

/// The thumbprint of RFC 7638 §3.2.
fn thumbprint(jwk: &Map<String, Value>) -> String {
    let member = |name: &str| jwk[name].as_str().expect("text");
    let (x, y) = (member("x"), member("y"));
    let text = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    base64url::encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}
