//! What is wrong with a refused token, by laying beside each other what it says and what the
//! configuration wants. None of what it says was verified, so this explains and decides nothing.

use serde_json::Value;

use super::kind::{Expected, Kind, instant};
use crate::access::AccessPolicy;
use crate::cli::instants;
use crate::cli::page::printable;
use crate::error::Error;
use crate::keys::Keyring;
use crate::token::DecodedToken;
use crate::types::Timestamp;

/// What a token is held to.
pub(super) struct Wanted<'a> {
    pub(super) keyring: &'a Keyring,
    pub(super) policy: &'a AccessPolicy,
    pub(super) expected: Expected,
    pub(super) now: Timestamp,
}

/// A sentence, where there is more to say than the error does.
pub(super) fn explain(error: &Error, token: &DecodedToken, wanted: &Wanted<'_>) -> Option<String> {
    let header = |name: &str| said(token.header().get(name));
    let claim = |name: &str| said(token.claims().get(name));
    let ago = |name: &str| instant(token, name).map(|at| instants::told(at, wanted.now));
    // A refresh token has another secret, so its signature is what a server sees first.
    let misplaced = Kind::of(token) == Kind::Refresh && wanted.expected == Expected::Access;
    match error {
        Error::AlgNotAllowed | Error::SignatureInvalid if misplaced => {
            Some(other_kind(token, wanted.expected))
        }
        Error::TypMismatch => Some(other_kind(token, wanted.expected)),
        Error::AlgNotAllowed if wanted.expected == Expected::Refresh => {
            Some(format!("it is signed by {}; refresh tokens are by HS256", header("alg")))
        }
        Error::AlgNotAllowed => {
            let mut known: Vec<_> =
                wanted.keyring.keys().iter().map(|key| key.algorithm().as_str()).collect();
            known.dedup();
            Some(format!(
                "it is signed by {}; the keys are for {}",
                header("alg"),
                known.join(", ")
            ))
        }
        Error::KeyNotFound => {
            let names = wanted.keyring.keys().iter().filter_map(|key| key.id());
            let names: Vec<_> = names.map(|id| id.as_str()).collect();
            Some(format!("its key is {}; the keys are {}", header("kid"), names.join(", ")))
        }
        Error::SignatureInvalid => Some(
            "it was signed with another secret or key than the configuration's, or changed since"
                .to_owned(),
        ),
        Error::IssuerMismatch => {
            let accepted = wanted.policy.issuers().join(", ");
            Some(format!("its issuer is {}; accepted: {accepted}", claim("iss")))
        }
        Error::AudienceMismatch => {
            let audiences = wanted.policy.audiences();
            let accepted = if audiences.is_empty() { "none" } else { &audiences.join(", ") };
            Some(format!("its audience is {}; accepted: {accepted}", claim("aud")))
        }
        Error::TokenExpired | Error::RefreshExpired => {
            Some(format!("it expired at {}", ago("exp")?))
        }
        Error::TokenNotYetValid => Some(format!("it is valid from {}", ago("nbf")?)),
        Error::RefreshReused => Some(
            "a refresh with it would be taken for a theft and revoke the session: its holder has \
             a newer one, and this one came back"
                .to_owned(),
        ),
        Error::RefreshSuperseded => {
            Some("its holder was given a newer one within the grace".to_owned())
        }
        Error::SessionUnknown => {
            Some("the store has no such session: is it the server's store?".to_owned())
        }
        _ => None,
    }
}

fn other_kind(token: &DecodedToken, expected: Expected) -> String {
    let wanted = match expected {
        Expected::Access => "an access token",
        Expected::Refresh => "a refresh token",
    };
    let advice = match (Kind::of(token), expected) {
        (Kind::Refresh, _) => "; it belongs to the refresh endpoint and nowhere else",
        (Kind::Access, _) => "; it goes with every request, not to the refresh endpoint",
        (Kind::Untyped, Expected::Access) => "; those are accepted with access.legacy",
        (Kind::Untyped, Expected::Refresh) => "; those are taken over with migrate",
        (Kind::Other, _) => "",
    };
    format!("it is {}, where {wanted} is expected{advice}", Kind::of(token).name())
}

fn said(value: Option<&Value>) -> String {
    match value {
        None => "absent".to_owned(),
        Some(Value::String(text)) => format!("{:?}", printable(text)),
        Some(other) => printable(&other.to_string()).into_owned(),
    }
}
