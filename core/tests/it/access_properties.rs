//! Property tests of access token verification.

use crate::support::access::*;
use proptest::prelude::*;
use regrant::access::{AccessPolicy, AccessPolicyBuilder, AccessVerifier, LegacyTokens};
use regrant::internal::{AccessGrant, AccessIssuer};
use regrant::keys::{Algorithm, Key, Keyring};
use regrant::token::decode_unverified;
use regrant::types::{SessionId, Subject};

fn lenient() -> AccessPolicy {
    lenient_builder().build().unwrap()
}

fn lenient_builder() -> AccessPolicyBuilder {
    AccessPolicy::builder().subject_claim("userId").accept_legacy(LegacyTokens::default())
}

fn claim_name() -> impl Strategy<Value = String> {
    let names = ["userId", "nbf", "iat", "jti", "sid", "gen", "brn", "b", "role"];
    proptest::sample::select(names.to_vec()).prop_map(str::to_owned)
}

fn claim_value() -> impl Strategy<Value = String> {
    let session = SessionId::from_bytes([7; 16]);
    let values = [
        "1",
        "0",
        "-1",
        "1.5",
        "1e3",
        "01",
        "1e999",
        "\"x\"",
        "\"\"",
        "\"\\n\"",
        "\"\\ud800\"",
        "null",
        "true",
        "[1]",
        "[\"a\"]",
        "{\"c\":1}",
        "{\"c\":1,\"c\":2}",
        "{}",
        "\"x\",\"extra\":1",
        "\"é\"",
        "x",
        "",
    ];
    let values = values.map(str::to_owned).into_iter();
    proptest::sample::select(values.chain([format!("\"{session}\"")]).collect::<Vec<_>>())
}

/// JSON-like text, which resembles a header or claims more often than random text does.
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
        let _ = verifier(lenient()).verify(&crate::support::access::token(ACCESS_HEADER, &claims));
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
    fn a_used_verifier_reads_claims_like_a_new_one(
        names in proptest::collection::vec(claim_name(), 0..5),
        rows in proptest::collection::vec(proptest::collection::vec(claim_value(), 8), 2..8),
    ) {
        let policy = || lenient_builder().required_claim("a").build().unwrap();
        let one = verifier(policy());
        let claims = |row: &Vec<String>| {
            let members = names.iter().zip(row).map(|(name, value)| format!("\"{name}\": {value}"));
            let fixed = [format!("\"exp\":{}", NOW + 60), format!("\"a\":{}", row[7]), "\"sub\":\"u\"".to_owned()];
            format!("{{{}}}", fixed.into_iter().chain(members).collect::<Vec<_>>().join(","))
        };
        for row in rows.iter().chain(&rows) {
            let claims = claims(row);
            let token = token(ACCESS_HEADER, &claims);
            match (one.verify(&token), verifier(policy()).verify(&token)) {
                (Err(one), Err(fresh)) => prop_assert_eq!(one.to_string(), fresh.to_string()),
                (Ok(one), Ok(fresh)) => {
                    prop_assert_eq!(format!("{one:?}"), format!("{fresh:?}"));
                    prop_assert_eq!(one.payload(), &claims);
                    let parsed: serde_json::Value = serde_json::from_str(&claims).unwrap();
                    prop_assert_eq!(Some(one.claims()), parsed.as_object());
                }
                (one, fresh) => prop_assert!(false, "{one:?} but {fresh:?} for {claims}"),
            }
        }
    }

    #[test]
    fn a_fraction_of_a_date_never_shifts_it_by_a_second(millis in 0i64..60_000) {
        let exp = NOW * 1000 + 1 + millis;
        let claims = format!("{{\"sub\":\"u\",\"exp\":{}.{:03}}}", exp / 1000, exp % 1000);
        let verified = verifier(lenient()).verify(&token(ACCESS_HEADER, &claims)).unwrap();
        prop_assert_eq!(verified.expires_at().as_millis(), exp);
    }
}

/// Replaces every single character by several others.
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
