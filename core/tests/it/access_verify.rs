//! The format of a token: what is rejected before any claim is checked, and in which order.

use crate::support::access::*;
use regrant::access::{AccessPolicy, AccessVerifier, LegacyTokens, VerifiedAccess};
use regrant::keys::{Algorithm, Key, Keyring, ShortSecret};
use regrant::types::{ManualClock, SecretBytes, Timestamp};
use regrant::{ErrorCode, Result};

fn good_claims() -> String {
    format!("{{\"sub\":\"u\",\"exp\":{}}}", NOW + 60)
}

fn verify(token: &str) -> Result<VerifiedAccess> {
    verifier(AccessPolicy::default()).verify(token)
}

fn code(token: &str) -> ErrorCode {
    verify(token).unwrap_err().code()
}

#[test]
fn a_good_token_passes() {
    let verified = verify(&token(ACCESS_HEADER, &good_claims())).unwrap();
    assert_eq!(verified.subject().as_str(), "u");
    assert_eq!(verified.expires_at(), Timestamp::from_seconds(NOW + 60));
    assert_eq!(verified.payload(), good_claims());
}

/// RFC 7515, appendix A.1: the header and the claims are pretty-printed, the secret is binary.
#[test]
fn the_example_of_rfc_7515() {
    use base64::Engine as _;
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkz\
                 ODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p\
                 1r_wW1gFWFOEjXk";
    let secret = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        )
        .unwrap();
    let key = Key::hmac(Algorithm::HS256, &SecretBytes::new(secret), ShortSecret::Refuse).unwrap();
    // Its only claim that could name a user is the issuer's own, which is not a string.
    let policy = AccessPolicy::builder()
        .issuer("joe")
        .subject_claim("http://example.com/is_root")
        .accept_legacy(LegacyTokens::default())
        .build()
        .unwrap();
    let clock = ManualClock::new(Timestamp::from_seconds(1_300_819_379));
    let verifier =
        AccessVerifier::new(Keyring::single(key), policy, std::sync::Arc::new(clock)).unwrap();
    assert_eq!(claim_invalid(verifier.verify(token)), "http://example.com/is_root");
    let altered = token.replace(".dBj", ".eBj");
    assert_eq!(verifier.verify(&altered).unwrap_err().code(), ErrorCode::SignatureInvalid);
}

#[test]
fn malformed_tokens_are_rejected() {
    let good = token(ACCESS_HEADER, &good_claims());
    let (input, signature) = good.rsplit_once('.').unwrap();
    for bad in [
        String::new(),
        "Bearer".to_owned(),
        "...".to_owned(),
        input.to_owned(),
        format!("{input}."),
        format!(".{good}"),
        format!("{good}."),
        format!("{good}.{signature}"),
        format!("{good}="),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{good}é"),
    ] {
        assert_eq!(code(&bad), ErrorCode::TokenMalformed, "{bad:?}");
    }
}

#[test]
fn every_segment_must_be_canonical_base64url() {
    let good = token(ACCESS_HEADER, &good_claims());
    let (input, signature) = good.rsplit_once('.').unwrap();
    // The last of 43 characters carries four bits of the signature and two that must be zero.
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = alphabet.find(last).unwrap();
    assert_eq!(place % 4, 0, "the encoder left trailing bits");
    let other = &alphabet[place + 1..place + 2];
    let trailing = format!("{input}.{}{other}", &signature[..signature.len() - 1]);
    assert_eq!(code(&trailing), ErrorCode::TokenMalformed);

    // Correctly signed, so that only the encoding can be the reason.
    let header = base64url(ACCESS_HEADER);
    let payload = base64url(good_claims());
    for (header, payload) in [
        (format!("{header}="), payload.clone()),
        (header.replacen('J', "J\n", 1), payload.clone()),
        (header.clone(), format!("{payload}=")),
        (header.clone(), format!("{payload} ")),
        (header.clone(), payload.replacen('e', "+", 1)),
        (header.clone(), base64url([0xff, 0xfe])),
    ] {
        let token = sign_segments(&header, &payload, SECRET);
        assert_eq!(code(&token), ErrorCode::TokenMalformed, "{header}.{payload}");
    }
}

#[test]
fn header_and_claims_are_strict_json_objects() {
    let good = good_claims();
    for header in [
        "",
        "[]",
        "{}",
        r#"{"alg":"HS256","typ":"at+jwt","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","alg":"HS256","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","x":{"y":1,"y":1}}"#,
        r#"{"alg":"HS256","typ":"at+jwt"} {}"#,
        r#"{"alg":256,"typ":"at+jwt"}"#,
        r#"{"alg":"HS256","typ":["at+jwt"]}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":1}"#,
    ] {
        assert_eq!(code(&token(header, &good)), ErrorCode::TokenMalformed, "{header}");
    }
    let deep = format!(
        "{{\"sub\":\"u\",\"exp\":{},\"a\":{}{}}}",
        NOW + 60,
        "[".repeat(40),
        "]".repeat(40)
    );
    for claims in [
        "\"text\"",
        "null",
        "[1]",
        "{",
        r#"{"sub":"u","exp":1700000060,"sub":"v"}"#,
        r#"{"sub":"u","exp":1700000060,"\u0073ub":"v"}"#,
        r#"{"sub":"u","exp":1700000060,"a":[{"b":1,"b":2}]}"#,
        r#"{"sub":"u","exp":1e999}"#,
        &deep,
    ] {
        assert_eq!(code(&token(ACCESS_HEADER, claims)), ErrorCode::TokenMalformed, "{claims}");
    }
}

#[test]
fn none_is_no_algorithm_in_any_spelling() {
    for alg in ["none", "None", "NONE", "nOnE", "", "hs256", "HS256 ", "HS384", "RS256", "ES256K"] {
        let header = format!("{{\"alg\":\"{alg}\",\"typ\":\"at+jwt\"}}");
        assert_eq!(code(&token(&header, &good_claims())), ErrorCode::AlgNotAllowed, "{alg}");
        // An empty signature is malformed for every algorithm.
        let bare = format!("{}.{}.", base64url(&header), base64url(good_claims()));
        assert_eq!(code(&bare), ErrorCode::TokenMalformed, "{alg}");
    }
}

#[test]
fn a_public_key_cannot_be_used_as_a_secret() {
    let public = pem("rsa2048-a.public");
    let ring = Keyring::single(Key::public_pem(Algorithm::RS256, &public).unwrap());
    let verifier = AccessVerifier::new(ring, AccessPolicy::default(), clock()).unwrap();
    let forged = sign_segments(&base64url(ACCESS_HEADER), &base64url(good_claims()), &public);
    assert_eq!(verifier.verify(&forged).unwrap_err().code(), ErrorCode::AlgNotAllowed);
}

#[test]
fn critical_extensions_are_rejected() {
    for extension in [
        r#""crit":["exp"],"exp":1"#,
        r#""crit":["b64"],"b64":false"#,
        r#""crit":[]"#,
        r#""b64":false"#,
        r#""b64":"true""#,
    ] {
        let header = format!("{{\"alg\":\"HS256\",\"typ\":\"at+jwt\",{extension}}}");
        assert_eq!(code(&token(&header, &good_claims())), ErrorCode::CritUnsupported, "{header}");
    }
}

#[test]
fn keys_in_the_header_are_ignored() {
    let header = r#"{"alg":"HS256","typ":"at+jwt","jku":"https://keys.test","jwk":{"kty":"oct",
                     "k":"AAAA"},"x5u":"https://keys.test","x5c":["AAAA"]}"#;
    verify(&token(header, &good_claims())).unwrap();
    let forged = sign_segments(&base64url(header), &base64url(good_claims()), "\0\0\0");
    assert_eq!(code(&forged), ErrorCode::SignatureInvalid);
}

#[test]
fn typ_must_be_at_jwt() {
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+JWT"] {
        let header = format!("{{\"typ\":\"{typ}\",\"alg\":\"HS256\"}}");
        verify(&token(&header, &good_claims())).unwrap();
    }
    for typ in ["JWT", "rt+jwt", "", "at+jwt2", "logout+jwt", "text/at+jwt"] {
        let header = format!("{{\"alg\":\"HS256\",\"typ\":\"{typ}\"}}");
        assert_eq!(code(&token(&header, &good_claims())), ErrorCode::TypMismatch, "{typ}");
    }
    assert_eq!(code(&token(r#"{"alg":"HS256"}"#, &good_claims())), ErrorCode::TypMismatch);
}

#[test]
fn the_size_limit_is_exact_and_comes_first() {
    let good = token(ACCESS_HEADER, &good_claims());
    let padded = |limit| AccessPolicy::builder().max_token_bytes(limit).build().unwrap();
    let claims = format!("{{\"sub\":\"u\",\"exp\":{},\"a\":\"{}\"}}", NOW + 60, "a".repeat(300));
    let long = token(ACCESS_HEADER, &claims);
    assert!(good.len() < long.len());
    verifier(padded(long.len())).verify(&long).unwrap();
    let refused = verifier(padded(long.len() - 1)).verify(&long).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::TokenTooLarge);
    let nonsense = "é".repeat(4097);
    assert_eq!(code(&nonsense), ErrorCode::TokenTooLarge);
}

/// Errors reveal nothing about the claims of an unsigned token.
#[test]
fn the_signature_is_checked_before_typ_and_claims() {
    for (header, claims) in [
        (LEGACY_HEADER, good_claims()),
        (ACCESS_HEADER, "not json".to_owned()),
        (ACCESS_HEADER, "{\"exp\":1}".to_owned()),
        (ACCESS_HEADER, "{}".to_owned()),
    ] {
        let unsigned = sign_segments(&base64url(header), &base64url(claims), "another secret");
        assert_eq!(code(&unsigned), ErrorCode::SignatureInvalid);
    }
}

#[test]
fn a_signature_of_another_length_is_invalid() {
    let good = token(ACCESS_HEADER, &good_claims());
    let (input, _) = good.rsplit_once('.').unwrap();
    for length in [1, 31, 33, 512] {
        let token = format!("{input}.{}", base64url(vec![0; length]));
        assert_eq!(code(&token), ErrorCode::SignatureInvalid, "{length}");
    }
}
