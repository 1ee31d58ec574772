//! `token decode`.

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};

use super::kind::{Kind, instant};
use crate::cli::context::{Context, Reply};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::input;
use crate::cli::instants;
use crate::cli::page::printable;
use crate::token::decode_unverified;
use crate::types::Timestamp;

/// Shows what a token says. Nothing of it is verified.
///
/// Exit status 1 when it is no token at all.
#[derive(Args, Debug)]
pub(in crate::cli) struct Decode {
    /// The token, or - to read it from standard input, where other users of this machine cannot
    /// see it.
    #[arg(value_name = "TOKEN")]
    token: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Decoded<'a> {
    verified: bool,
    kind: Kind,
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
    pub(super) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        let token = decode_unverified(&input::token(&self.token)?)?;
        let now = context.now();
        let [issued_at, not_before, expires_at] = INSTANTS.map(|claim| instant(&token, claim));
        let decoded = Decoded {
            verified: false,
            kind: Kind::of(&token),
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
                if let Some(at) = INSTANTS.contains(&name.as_str()).then(|| instant(&token, name)) {
                    let told = at.map(|at| instants::told(at, now)).unwrap_or_default();
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
