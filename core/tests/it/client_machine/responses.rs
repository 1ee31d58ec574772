//! What responses to a refresh and to a logout mean, `responses.json` and `logouts.json` in
//! `tests/vectors/client`: the npm package's client for web pages reads them in the same way.
//! `REGRANT_UPDATE_VECTORS=1` rewrites the files.

use std::collections::BTreeMap;
use std::time::Duration;

use regrant::client::machine::{RefreshAnswer, RevocationAnswer};
use regrant::client::{RefreshEndpoint, TransientError};
use regrant::transport::HttpResponse;
use regrant::{Advice, ErrorCode};
use serde_json::{Value, json};

use crate::support::check_rows;

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
const LOGOUT_STATUSES: &[u16] =
    &[200, 204, 400, 401, 403, 404, 405, 408, 409, 410, 419, 422, 425, 429, 500, 501, 502, 503];
const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";
/// Values of `Retry-After`, on a server whose clock shows [`DATE`].
const RETRY_AFTER: &[&str] = &["20", "0", "-1", "soon", "Tue, 14 Nov 2023 22:14:20 GMT", DATE];

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
            json!({ "failure": status, "retryAfter": positive_seconds(*retry_after) })
        }
        other => unreachable!("{other:?}"),
    }
}

fn expected_of_logout(answer: RevocationAnswer) -> Value {
    match answer {
        RevocationAnswer::Revoked => json!("revoked"),
        RevocationAnswer::Refused => json!("refused"),
        RevocationAnswer::Unavailable { retry_after } => {
            json!({ "retryAfter": positive_seconds(retry_after) })
        }
    }
}

fn positive_seconds(span: Option<Duration>) -> Option<u64> {
    span.map(|span| span.as_secs()).filter(|seconds| *seconds > 0)
}

type Headers<'a> = BTreeMap<&'a str, &'a str>;

fn response(status: u16, headers: &Headers<'_>, body: &str) -> HttpResponse {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    HttpResponse { status, headers: headers.collect(), body: body.into() }
}

fn endpoint(mode: &str) -> RefreshEndpoint {
    match mode {
        "json" => RefreshEndpoint::json("https://api.example/auth/refresh"),
        _ => RefreshEndpoint::rt_verify("https://api.example/api/users/rtVerify"),
    }
}

/// The errors of this version, and one of a later version with each other advice.
fn errors() -> Vec<(u16, String)> {
    let error = |code: &Value, advice: Advice| {
        json!({ "error": { "code": code, "advice": advice } }).to_string()
    };
    // A page without its cookie is told so, by a reason of its own.
    let codes = ErrorCode::ALL.iter().filter(|code| **code != ErrorCode::TokenMissing);
    let known = codes.map(|code| (code.http_status(), error(&json!(code), code.advice())));
    let later = [Advice::Retry, Advice::Refresh, Advice::Fix];
    let later = later.map(|advice| (401, error(&json!("ERR_OF_A_LATER_VERSION"), advice)));
    known.chain(later).collect()
}

/// A busy server, and when to retry.
fn busy() -> impl Iterator<Item = (u16, Headers<'static>)> {
    let headers = |after| Headers::from([("date", DATE), ("retry-after", after)]);
    let of_status = move |status| RETRY_AFTER.iter().map(move |after| (status, headers(after)));
    [429, 503].into_iter().flat_map(of_status)
}

#[test]
fn the_responses_are_read_as_the_endpoint_reads_them() {
    let mut rows = Vec::new();
    for mode in ["json", "rtVerify"] {
        let mut row = |status: u16, headers: &Headers<'_>, body: &str| {
            let expected = expected(&endpoint(mode).read(&response(status, headers, body)));
            rows.push(json!([mode, status, headers, body, expected]));
        };
        for body in BODIES {
            for status in STATUSES {
                row(*status, &Headers::new(), body);
            }
        }
        for (status, error) in errors() {
            row(status, &Headers::new(), &error);
        }
        for (status, headers) in busy() {
            row(status, &headers, "");
        }
    }
    check_rows("client/responses.json", &rows);
}

#[test]
fn the_responses_to_a_logout_are_read_as_the_endpoint_reads_them() {
    let mut rows = Vec::new();
    for mode in ["json", "rtVerify"] {
        let mut row = |status: u16, headers: &Headers<'_>, body: &str| {
            let answer = endpoint(mode).read_logout(&response(status, headers, body));
            rows.push(json!([mode, status, headers, body, expected_of_logout(answer)]));
        };
        for body in BODIES {
            for status in LOGOUT_STATUSES {
                row(*status, &Headers::new(), body);
            }
        }
        for (status, error) in errors() {
            row(status, &Headers::new(), &error);
        }
        for (status, headers) in busy() {
            row(status, &headers, "");
        }
    }
    check_rows("client/logouts.json", &rows);
}
