//! What an unverified token says: `token decode`, its type, and the explanation of a rejected token.

use clap::{Args, ValueEnum};
use regrant::access::AccessPolicy;
use regrant::error::Error;
use regrant::keys::Keyring;
use regrant::token::{DecodedToken, TYP_ACCESS, TYP_REFRESH, decode_unverified, is_typ};
use regrant::types::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::output::{printable, rfc3339_and_distance};
use crate::settings::read_token;
use crate::{Context, Exit, Failure, Reply};

/// Prints the header and the claims of a token without verifying it.
///
/// Exit status 1 if it is not a token.
#[derive(Args, Debug)]
pub(crate) struct Decode {
    /// The token, or - to read it from standard input. Other users of this machine can see
    /// arguments.
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

/// The claims that are timestamps.
const TIMESTAMPS: [&str; 3] = ["iat", "nbf", "exp"];

impl Decode {
    pub(crate) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        let token = decode_unverified(&read_token(&self.token)?)?;
        let now = context.now();
        let [issued_at, not_before, expires_at] =
            TIMESTAMPS.map(|claim| claim_instant(&token, claim));
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
                "NOT VERIFIED: anyone can write such a token. `regrant token check` verifies it.",
            ));
            page.line(&format!("\nheader of {}", decoded.kind.name()));
            page.rows(&rows(decoded.header));
            page.line("\nclaims");
            let mut claims = rows(decoded.claims);
            for (name, value) in &mut claims {
                if let Some(at) =
                    TIMESTAMPS.contains(&name.as_str()).then(|| claim_instant(&token, name))
                {
                    let time = at.map(|at| rfc3339_and_distance(at, now)).unwrap_or_default();
                    *value = format!("{value}  {time}");
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

/// What a token was checked against.
pub(crate) struct Expectation<'a> {
    pub(crate) keyring: &'a Keyring,
    pub(crate) policy: &'a AccessPolicy,
    pub(crate) expected: ExpectedType,
    pub(crate) now: Timestamp,
}

/// Explains `error` with the values of the token and of the configuration, which error messages
/// never contain. `None` if there is nothing to add.
pub(crate) fn explain(
    error: &Error,
    token: &DecodedToken,
    expectation: &Expectation<'_>,
) -> Option<String> {
    let header = |name: &str| quoted(token.header().get(name));
    let claim = |name: &str| quoted(token.claims().get(name));
    let ago =
        |name: &str| claim_instant(token, name).map(|at| rfc3339_and_distance(at, expectation.now));
    // Refresh tokens have another secret, so verification as an access token fails at the signature.
    let wrong_type =
        TokenType::of(token) == TokenType::Refresh && expectation.expected == ExpectedType::Access;
    match error {
        Error::AlgNotAllowed | Error::SignatureInvalid if wrong_type => {
            Some(wrong_type_message(token, expectation.expected))
        }
        Error::TypMismatch => Some(wrong_type_message(token, expectation.expected)),
        Error::AlgNotAllowed if expectation.expected == ExpectedType::Refresh => Some(format!(
            "it is signed with {}; refresh tokens are signed with HS256",
            header("alg")
        )),
        Error::AlgNotAllowed => {
            let mut known: Vec<_> =
                expectation.keyring.keys().iter().map(|key| key.algorithm().as_str()).collect();
            known.dedup();
            Some(format!(
                "it is signed with {}; the keys are for {}",
                header("alg"),
                known.join(", ")
            ))
        }
        Error::KeyNotFound => {
            let names = expectation.keyring.keys().iter().filter_map(|key| key.id());
            let names: Vec<_> = names.map(|id| id.as_str()).collect();
            Some(format!(
                "its kid is {}; the configured keys are {}",
                header("kid"),
                names.join(", ")
            ))
        }
        Error::SignatureInvalid => Some(
            "it was signed with another secret or key than the configured ones, or was modified"
                .to_owned(),
        ),
        Error::IssuerMismatch => {
            let accepted = expectation.policy.issuers().join(", ");
            Some(format!("its issuer is {}; accepted: {accepted}", claim("iss")))
        }
        Error::AudienceMismatch => {
            let audiences = expectation.policy.audiences();
            let accepted = if audiences.is_empty() { "none" } else { &audiences.join(", ") };
            Some(format!("its audience is {}; accepted: {accepted}", claim("aud")))
        }
        Error::TokenExpired | Error::RefreshExpired => {
            Some(format!("it expired at {}", ago("exp")?))
        }
        Error::TokenNotYetValid => Some(format!("it is valid from {}", ago("nbf")?)),
        Error::RefreshReused => Some(
            "a refresh with it would be treated as reuse and revoke the session: a newer refresh \
             token has been issued and used"
                .to_owned(),
        ),
        Error::RefreshSuperseded => {
            Some("a newer refresh token was issued within the grace period".to_owned())
        }
        Error::SessionUnknown => Some(
            "the store has no such session: check that it is the store of the server".to_owned(),
        ),
        _ => None,
    }
}

fn wrong_type_message(token: &DecodedToken, expected: ExpectedType) -> String {
    let wanted = match expected {
        ExpectedType::Access => "an access token",
        ExpectedType::Refresh => "a refresh token",
    };
    let advice = match (TokenType::of(token), expected) {
        (TokenType::Refresh, _) => "; it is for the refresh endpoint only",
        (TokenType::Access, _) => "; it is for requests, not for the refresh endpoint",
        (TokenType::Untyped, ExpectedType::Access) => "; access.legacy accepts those",
        (TokenType::Untyped, ExpectedType::Refresh) => "; migrate accepts those",
        (TokenType::Other, _) => "",
    };
    format!("it is {}, and {wanted} is expected{advice}", TokenType::of(token).name())
}

fn quoted(value: Option<&Value>) -> String {
    match value {
        None => "absent".to_owned(),
        Some(Value::String(text)) => format!("{:?}", printable(text)),
        Some(other) => printable(&other.to_string()).into_owned(),
    }
}

/// The types that a server accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExpectedType {
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
}

/// The type in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TokenType {
    /// `at+jwt`.
    Access,
    /// `rt+jwt`.
    Refresh,
    /// No `typ`, or `JWT`: a token of a legacy app.
    Untyped,
    /// Another `typ`.
    Other,
}

impl TokenType {
    pub(crate) fn of(token: &DecodedToken) -> Self {
        match token.header().get("typ") {
            None => Self::Untyped,
            Some(typ) => match typ.as_str() {
                Some(typ) if is_typ(typ, TYP_ACCESS) => Self::Access,
                Some(typ) if is_typ(typ, TYP_REFRESH) => Self::Refresh,
                Some(typ) if is_typ(typ, "JWT") => Self::Untyped,
                _ => Self::Other,
            },
        }
    }

    /// The name with its article.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Access => "an access token",
            Self::Refresh => "a refresh token",
            Self::Untyped => "a token without a type",
            Self::Other => "a token of an unknown type",
        }
    }
}

/// The timestamp in a claim: seconds (RFC 7519 §2), but milliseconds in regrant's refresh tokens.
fn claim_instant(token: &DecodedToken, claim: &str) -> Option<Timestamp> {
    let value = token.claims().get(claim)?;
    if TokenType::of(token) == TokenType::Refresh {
        return value.as_i64().map(Timestamp::from_millis);
    }
    match value.as_i64() {
        Some(seconds) => Some(Timestamp::from_seconds(seconds)),
        // The cast saturates, and `Timestamp` clamps further.
        #[allow(clippy::cast_possible_truncation)]
        None => value.as_f64().map(|seconds| Timestamp::from_millis((seconds * 1000.0) as i64)),
    }
}
