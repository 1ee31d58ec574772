//! Checks the vector file of error codes against the core's table; the bindings are tested against
//! the same file. `REGRANT_UPDATE_VECTORS=1` rewrites it.

use std::time::Duration;

use regrant::types::RevocationReason;
use regrant::{Error, ErrorCode, Language};
use serde_json::Value;

use crate::support::{vector, vector_json, vector_path};

fn table() -> Value {
    ErrorCode::ALL.iter().map(|code| serde_json::to_value(code.info()).unwrap()).collect()
}

#[test]
fn vector_file_matches_the_table_of_codes() {
    let text = serde_json::to_string_pretty(&table()).unwrap() + "\n";
    if std::env::var_os("REGRANT_UPDATE_VECTORS").is_some() {
        std::fs::write(vector_path("errors.json"), &text).unwrap();
    }
    assert_eq!(vector("errors.json"), text, "see the head of this file");
}

#[test]
fn codes_are_unique_and_well_formed() {
    let mut codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert!(codes.iter().all(|code| code.starts_with("ERR_")));
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), ErrorCode::ALL.len());
}

#[test]
fn challenges_are_quoted_strings() {
    for code in ErrorCode::ALL {
        let message = code.message(Language::En);
        assert!(message.is_ascii() && !message.contains(['"', '\\']), "{code}");
        let has_challenge = code.http_status() == 401 || *code == ErrorCode::InsufficientScope;
        assert_eq!(code.www_authenticate().is_some(), has_challenge, "{code}");
    }
    assert_eq!(ErrorCode::TokenMissing.www_authenticate().as_deref(), Some("Bearer"));
}

/// What errors carry beyond their code. Node and the clients are tested against the same file.
#[test]
fn details_match_the_vector_file() {
    let errors = [
        Error::TokenExpired,
        Error::claim_missing("sub"),
        Error::claim_invalid("exp"),
        Error::SessionRevoked { reason: RevocationReason::Administrative },
        Error::DpopProofInvalid { problem: "the request has no path" },
        Error::TooManyAttempts { retry_after: Duration::from_millis(59_001) },
        Error::argument("claims", "sub is a reserved claim"),
        Error::config(
            "refresh.limiter.windows",
            "unknown option, did you mean window? Known options: failures, window",
        ),
    ];
    let details = errors.iter().map(|error| {
        let mut details = serde_json::to_value(error.details()).unwrap();
        let members = details.as_object_mut().unwrap();
        for member in ["advice", "status", "wwwAuthenticate", "messages"] {
            members.remove(member);
        }
        details
    });
    assert_eq!(details.collect::<Value>(), vector_json::<Value>("error-details.json"));
}
