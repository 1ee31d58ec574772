//! `token decode`, and why a token was refused.

use clap::Args;
use regrant::access::AccessPolicy;
use regrant::error::Error;
use regrant::keys::Keyring;
use regrant::token::{DecodedToken, decode_unverified};
use regrant::types::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::output::{printable, rfc3339_and_distance};
use crate::settings::read_token;
use crate::token::{ExpectedType, TokenType, claim_instant};
use crate::{Context, Exit, Failure, Reply};

/// Shows what a token says. Nothing of it is verified.
///
/// Exit status 1 when it is no token at all.
#[derive(Args, Debug)]
pub(crate) struct Decode {
    /// The token, or - to read it from standard input, where other users of this machine cannot
    /// see it.
    #[arg(value_name = "TOKEN")]
    token: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Decoded<'a> {
    verified: bool,
    kind: TokenType,
    header: &'a Map<String, Value>,
    claims: &'a Map<String, Value>,
    issued_at: Option<Timestamp>,
    not_before: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    expired: Option<bool>,
}

/// The claims that are instants.
const INSTANTS: [&str; 3] = ["iat", "nbf", "exp"];

impl Decode {
    pub(crate) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        let token = decode_unverified(&read_token(&self.token)?)?;
        let now = context.now();
        let [issued_at, not_before, expires_at] =
            INSTANTS.map(|claim| claim_instant(&token, claim));
        let decoded = Decoded {
            verified: false,
            kind: TokenType::of(&token),
            header: token.header(),
            claims: token.claims(),
            issued_at,
            not_before,
            expires_at,
            expired: expires_at.map(|end| now >= end),
        };
        context.reply(Exit::Yes, &decoded, |page| {
            page.line(&page.paint.warning(
                "NOT VERIFIED: anybody can write such a token. `regrant token check` verifies it.",
            ));
            page.line(&format!("\nheader of {}", decoded.kind.name()));
            page.rows(&rows(decoded.header));
            page.line("\nclaims");
            let mut claims = rows(decoded.claims);
            for (name, value) in &mut claims {
                if let Some(at) =
                    INSTANTS.contains(&name.as_str()).then(|| claim_instant(&token, name))
                {
                    let told = at.map(|at| rfc3339_and_distance(at, now)).unwrap_or_default();
                    *value = format!("{value}  {told}");
                }
            }
            page.rows(&claims);
            if decoded.expired == Some(true) {
                page.line(&page.paint.bad("\nexpired"));
            }
        })
    }
}

fn rows(members: &Map<String, Value>) -> Vec<(String, String)> {
    let shown = |value: &Value| match value {
        Value::String(text) => printable(text).into_owned(),
        other => printable(&other.to_string()).into_owned(),
    };
    members.iter().map(|(name, value)| (printable(name).into_owned(), shown(value))).collect()
}

/// What a token is held to.
pub(crate) struct Wanted<'a> {
    pub(crate) keyring: &'a Keyring,
    pub(crate) policy: &'a AccessPolicy,
    pub(crate) expected: ExpectedType,
    pub(crate) now: Timestamp,
}

/// A sentence, where there is more to say than the error does.
pub(crate) fn explain(error: &Error, token: &DecodedToken, wanted: &Wanted<'_>) -> Option<String> {
    let header = |name: &str| said(token.header().get(name));
    let claim = |name: &str| said(token.claims().get(name));
    let ago =
        |name: &str| claim_instant(token, name).map(|at| rfc3339_and_distance(at, wanted.now));
    // A refresh token has another secret, so its signature is what a server sees first.
    let misplaced =
        TokenType::of(token) == TokenType::Refresh && wanted.expected == ExpectedType::Access;
    match error {
        Error::AlgNotAllowed | Error::SignatureInvalid if misplaced => {
            Some(other_kind(token, wanted.expected))
        }
        Error::TypMismatch => Some(other_kind(token, wanted.expected)),
        Error::AlgNotAllowed if wanted.expected == ExpectedType::Refresh => {
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

fn other_kind(token: &DecodedToken, expected: ExpectedType) -> String {
    let wanted = match expected {
        ExpectedType::Access => "an access token",
        ExpectedType::Refresh => "a refresh token",
    };
    let advice = match (TokenType::of(token), expected) {
        (TokenType::Refresh, _) => "; it belongs to the refresh endpoint and nowhere else",
        (TokenType::Access, _) => "; it goes with every request, not to the refresh endpoint",
        (TokenType::Untyped, ExpectedType::Access) => "; those are accepted with access.legacy",
        (TokenType::Untyped, ExpectedType::Refresh) => "; those are taken over with migrate",
        (TokenType::Other, _) => "",
    };
    format!("it is {}, where {wanted} is expected{advice}", TokenType::of(token).name())
}

fn said(value: Option<&Value>) -> String {
    match value {
        None => "absent".to_owned(),
        Some(Value::String(text)) => format!("{:?}", printable(text)),
        Some(other) => printable(&other.to_string()).into_owned(),
    }
}
