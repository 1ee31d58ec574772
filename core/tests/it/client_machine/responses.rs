//! What responses to a refresh mean, `tests/vectors/client/responses.json`: the npm package's client for web pages
//! reads them in the same way. `REGRANT_UPDATE_VECTORS=1` rewrites the file.

use std::fmt::Write as _;

use regrant::client::machine::RefreshAnswer;
use regrant::client::{RefreshEndpoint, TransientError};
use regrant::transport::HttpResponse;
use regrant::{Advice, ErrorCode};
use serde_json::{Value, json};

use crate::support::{vector, vector_path};

const FILE: &str = "client/responses.json";

/// What servers and those in front of them send beside their own errors.
const BODIES: &[&str] = &[
    "",
    "<html>Log in to this Wi-Fi</html>",
    "null",
    "[]",
    "7",
    "{}",
    r#"{"accessToken":""}"#,
    r#"{"accessToken":7}"#,
    r#"{"accessToken":"Bearer "}"#,
    r#"{"accessToken":"a2"}"#,
    r#"{"accessToken":"bearer a2","refreshToken":"Bearer r2","expiresIn":900}"#,
    r#"{"accessToken":"a2","refreshToken":"","expiresIn":0}"#,
    r#"{"accessToken":"a2","refreshToken":7,"expiresIn":-1}"#,
    r#"{"accessToken":"a2","error":{"code":"ERR_REFRESH_REUSED"}}"#,
    r#"{"error":"invalid_grant"}"#,
    r#"{"error":null}"#,
    r#"{"error":{"code":42}}"#,
    r#"{"message":"bad gateway"}"#,
    r#"{"code":"ERR_REFRESH_REUSED"}"#,
    r#"{"code":"ERR_REFRESH_SUPERSEDED"}"#,
    r#"{"error":{"code":"ERR_SESSION_REVOKED"}}"#,
    r#"{"error":{"code":"ERR_SESSION_REVOKED","reason":"logout"}}"#,
    r#"{"error":{"code":"ERR_SESSION_REVOKED","reason":"reused"}}"#,
    r#"{"error":{"code":"ERR_OF_A_LATER_VERSION","advice":"sign_in"}}"#,
    r#"{"error":{"code":"ERR_OF_A_LATER_VERSION","advice":"reject"}}"#,
    r#"{"error":{"code":"ERR_OF_A_LATER_VERSION","advice":"retry"}}"#,
    r#"{"error":{"code":"ERR_OF_A_LATER_VERSION","advice":"of a later version"}}"#,
    r#"{"error":{"advice":"sign_in"}}"#,
];
const STATUSES: &[u16] = &[200, 400, 401, 403, 404, 409, 419, 429, 500, 503];

fn expected(answer: &RefreshAnswer) -> Value {
    match answer {
        RefreshAnswer::Granted(grant) => json!({ "granted": {
            "access": grant.access.expose(),
            "refresh": grant.refresh.as_ref().map(|token| token.expose()),
            "lifetime": grant.lifetime.map(|span| span.as_millis() as u64).filter(|span| *span > 0),
        } }),
        RefreshAnswer::Superseded => json!("superseded"),
        RefreshAnswer::SignedOut(reason) => json!({ "signedOut": reason.as_str() }),
        RefreshAnswer::Unavailable {
            cause: TransientError::Server { status, .. },
            retry_after,
        } => {
            json!({ "failure": status, "retryAfter": retry_after.map(|span| span.as_secs()).filter(|seconds| *seconds > 0) })
        }
        other => unreachable!("{other:?}"),
    }
}

fn row(text: &mut String, mode: &str, status: u16, headers: &[(&str, &str)], body: &str) {
    let endpoint = match mode {
        "json" => RefreshEndpoint::json("https://api.example/auth/refresh"),
        _ => RefreshEndpoint::rt_verify("https://api.example/api/users/rtVerify"),
    };
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let response =
        HttpResponse { status, headers: headers.iter().map(own).collect(), body: body.into() };
    let expected = expected(&endpoint.read(&response));
    let row = json!([
        mode,
        status,
        headers.iter().copied().collect::<std::collections::BTreeMap<_, _>>(),
        body,
        expected
    ]);
    let comma = if text.len() > 2 { ",\n" } else { "" };
    write!(text, "{comma}{row}").unwrap();
}

#[test]
fn the_responses_are_read_as_the_endpoint_reads_them() {
    let mut text = String::from("[\n");
    for mode in ["json", "rtVerify"] {
        for body in BODIES {
            for status in STATUSES {
                row(&mut text, mode, *status, &[], body);
            }
        }
        for code in ErrorCode::ALL {
            // A page without its cookie is told so, by a reason of its own.
            if *code == ErrorCode::TokenMissing {
                continue;
            }
            let error = json!({ "error": { "code": code, "advice": code.advice() } }).to_string();
            row(&mut text, mode, code.http_status(), &[], &error);
        }
        for advice in [Advice::Retry, Advice::Refresh, Advice::Fix] {
            let error = json!({ "error": { "code": "ERR_OF_A_LATER_VERSION", "advice": advice } });
            row(&mut text, mode, 401, &[], &error.to_string());
        }
        for status in [429, 503] {
            let date = "Tue, 14 Nov 2023 22:13:20 GMT";
            for after in ["20", "0", "-1", "soon", "Tue, 14 Nov 2023 22:14:20 GMT", date] {
                row(&mut text, mode, status, &[("date", date), ("retry-after", after)], "");
            }
        }
    }
    text.push_str("\n]\n");
    if std::env::var_os("REGRANT_UPDATE_VECTORS").is_some() {
        std::fs::write(vector_path(FILE), &text).unwrap();
    }
    assert!(
        vector(FILE) == text,
        "{FILE} is not what the endpoint reads: see the head of this file"
    );
}
