//! A token as text: parsing, and that no unsigned token is accepted.

use std::sync::LazyLock;

use regrant::Error;
use regrant::access::{AccessPolicy, AccessVerifier};
use regrant::token::decode_unverified;

use crate::keys;
use crate::reference::{json, jws};

/// The longest token that [`decode_unverified`] reads.
const MOST: usize = 64 * 1024;

pub(crate) fn run(input: &[u8]) {
    let Ok(token) = std::str::from_utf8(input) else { return };
    is_read_as_by_others(token);
    is_believed_only_when_signed(token);
}

fn is_read_as_by_others(token: &str) {
    let expected = jws::split(token).and_then(|parts| {
        let object = |bytes: &[u8]| std::str::from_utf8(bytes).ok().and_then(json::object);
        Some((object(&parts.header)?, object(&parts.payload)?, parts.print()))
    });
    match (decode_unverified(token), expected) {
        (Ok(decoded), Some((header, claims, printed))) => {
            assert_eq!(decoded.header(), &header);
            assert_eq!(decoded.claims(), &claims);
            assert_eq!(printed, token, "a token has one encoding");
        }
        (Err(Error::TokenTooLarge), _) => assert!(token.len() > MOST),
        (Err(Error::TokenMalformed), None) => {}
        (read, expected) => panic!("{read:?} where {expected:?} was expected"),
    }
}

fn is_believed_only_when_signed(token: &str) {
    static VERIFIER: LazyLock<AccessVerifier> = LazyLock::new(|| {
        let policy = AccessPolicy::builder().cache(64).build().expect("a policy");
        AccessVerifier::new(keys::keyring(), policy, keys::clock()).expect("a verifier")
    });
    let signed = jws::is_signed(token);
    match VERIFIER.verify(token) {
        Ok(access) => {
            assert!(signed, "accepted without a signature");
            let again = VERIFIER.verify(token).expect("what was accepted is accepted again");
            assert_eq!(again.payload(), access.payload());
        }
        Err(Error::SignatureInvalid) => assert!(!signed, "a valid signature was rejected"),
        // Errors that only a correctly signed token may get.
        Err(
            error @ (Error::TypMismatch
            | Error::TokenExpired
            | Error::TokenNotYetValid
            | Error::IssuerMismatch
            | Error::AudienceMismatch
            | Error::ClaimMissing { .. }
            | Error::ClaimInvalid { .. }),
        ) => assert!(signed, "{error:?} reveals unsigned content"),
        Err(
            Error::TokenMalformed
            | Error::TokenTooLarge
            | Error::AlgNotAllowed
            | Error::KeyNotFound
            | Error::CritUnsupported,
        ) => {}
        Err(error) => panic!("{error:?}"),
    }
}
