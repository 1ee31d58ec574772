//! What must hold for every input.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod access_support;

use access_support::*;
use proptest::prelude::*;
use regrant::access::{AccessGrant, AccessIssuer, AccessPolicy, AccessVerifier, LegacyTokens};
use regrant::identity::Subject;
use regrant::keys::{Algorithm, Key, Keyring};
use regrant::token::decode_unverified;

fn lenient() -> AccessPolicy {
    AccessPolicy::builder()
        .subject_claim("userId")
        .accept_legacy(LegacyTokens::default())
        .build()
        .unwrap()
}

/// JSON-like text: more often near a header or a set of claims than random text would be.
fn jsonish() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        proptest::sample::select(vec![
            "alg", "typ", "kid", "crit", "b64", "sub", "userId", "exp", "nbf", "iat", "iss", "aud",
            "jti", "sid", "gen", "brn",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,4}",
    ];
    let value = prop_oneof![
        Just("\"HS256\"".to_owned()),
        Just("\"at+jwt\"".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| number.to_string()),
        Just((NOW + 60).to_string()),
        "[\\[\\]{},:\"a1 -]{0,8}",
        "\"\\PC{0,6}\"",
    ];
    proptest::collection::vec((name, value), 0..6).prop_map(|members| {
        let members: Vec<_> = members.iter().map(|(n, v)| format!("\"{n}\":{v}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*") {
        prop_assert!(verifier(lenient()).verify(&text).is_err());
        let _ = decode_unverified(&text);
        let _ = regrant::access::bearer_token(&text);
    }

    #[test]
    fn no_header_or_claims_make_it_panic(header in jsonish(), claims in jsonish()) {
        let token = token(&header, &claims);
        if let Ok(verified) = verifier(lenient()).verify(&token) {
            prop_assert_eq!(verified.payload(), &claims);
            prop_assert!(decode_unverified(&token).is_ok());
        }
        let _ = verifier(lenient()).verify(&access_support::token(ACCESS_HEADER, &claims));
    }

    #[test]
    fn what_is_issued_is_accepted(
        subject in "[^\\p{Cc}]{1,60}",
        text in "\\PC{0,40}",
        number in any::<i64>(),
    ) {
        let mut grant = AccessGrant::new(Subject::new(&*subject).unwrap());
        grant.claims.insert("text".to_owned(), text.clone().into());
        grant.claims.insert("number".to_owned(), number.into());
        let issuer = AccessIssuer::new(keyring(), lenient(), clock()).unwrap();
        let issued = issuer.issue(&grant).unwrap();
        let verified = verifier(lenient()).verify(issued.token.expose()).unwrap();
        prop_assert_eq!(verified.subject().as_str(), subject);
        prop_assert_eq!(verified.claim("text").unwrap(), &serde_json::Value::from(text));
        prop_assert_eq!(verified.claim("number").unwrap(), &serde_json::Value::from(number));
    }

    #[test]
    fn a_fraction_of_a_date_never_shifts_it_by_a_second(millis in 0i64..60_000) {
        let exp = NOW * 1000 + 1 + millis;
        let claims = format!("{{\"sub\":\"u\",\"exp\":{}.{:03}}}", exp / 1000, exp % 1000);
        let verified = verifier(lenient()).verify(&token(ACCESS_HEADER, &claims)).unwrap();
        prop_assert_eq!(verified.expires_at().as_millis(), exp);
    }
}

/// Every single character, replaced by several others.
#[test]
fn no_altered_token_verifies() {
    let ed25519 = Key::private_pem(Algorithm::EdDSA, &pem("ed25519-a.private")).unwrap();
    let several = "ABQgwxyz019-_.=+/ é";
    for (keyring, others) in [(keyring(), several), (Keyring::single(ed25519), "A.é")] {
        let issuer = AccessIssuer::new(keyring.clone(), lenient(), clock()).unwrap();
        let verifier = AccessVerifier::new(keyring, lenient(), clock()).unwrap();
        let grant = AccessGrant::new(Subject::new("u").unwrap());
        let issued = issuer.issue(&grant).unwrap();
        let good = issued.token.expose();
        verifier.verify(good).unwrap();
        for place in 0..good.len() {
            for other in others.chars() {
                let altered = format!("{}{other}{}", &good[..place], &good[place + 1..]);
                assert!(altered == good || verifier.verify(&altered).is_err(), "{altered}");
            }
            let shorter = format!("{}{}", &good[..place], &good[place + 1..]);
            assert!(verifier.verify(&shorter).is_err(), "{shorter}");
        }
    }
}
