use super::*;

fn response(status: u16, body: &str) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

fn pair() -> TokenPair {
    TokenPair::new(AccessToken::new("a"), RefreshToken::new("r")).user("7")
}

fn default() -> RefreshEndpoint {
    RefreshEndpoint::json("https://api.example/auth/refresh")
}

fn legacy() -> RefreshEndpoint {
    RefreshEndpoint::rt_verify("https://api.example/api/users/rtVerify")
}

fn read(status: u16, body: &str) -> RefreshAnswer {
    default().read(&response(status, body))
}

fn is_unavailable(answer: &RefreshAnswer) -> bool {
    matches!(answer, RefreshAnswer::Unavailable { .. })
}

#[test]
fn builds_a_json_request() {
    let request = default().header("X-Api-Key", "planted").request(&pair());
    assert_eq!((request.method, &*request.url), ("POST", "https://api.example/auth/refresh"));
    assert_eq!(request.body, br#"{"refreshToken":"r"}"#);
    let has =
        |name: &str, value: &str| request.headers.contains(&(name.to_owned(), value.to_owned()));
    assert!(has("content-type", "application/json") && has("x-api-key", "planted"));
    assert!(!format!("{request:?} {:?}", default()).contains("planted"));
}

#[test]
fn builds_a_legacy_request() {
    let request = legacy().request(&pair());
    assert_eq!((request.method, request.body.len()), ("GET", 0));
    for (name, value) in [("refreshtoken", "Bearer r"), ("userid", "7"), ("x-refresh-rotate", "1")]
    {
        assert!(request.headers.contains(&(name.to_owned(), value.to_owned())), "{name}");
    }
}

#[test]
fn reads_granted_tokens() {
    let body = r#"{"accessToken":"a2","expiresIn":900,"refreshToken":"r2"}"#;
    let RefreshAnswer::Granted(grant) = read(200, body) else { panic!() };
    assert_eq!((grant.access.expose(), grant.lifetime), ("a2", Some(Duration::from_secs(900))));
    assert_eq!(grant.refresh.unwrap().expose(), "r2");
    let answer = legacy().read(&response(200, r#"{"accessToken":"Bearer a2"}"#));
    let RefreshAnswer::Granted(grant) = answer else { panic!() };
    assert_eq!((grant.access.expose(), grant.refresh), ("a2", None));
}

/// A code signs out if and only if its advice is final and it is not about a DPoP proof.
#[test]
fn only_final_codes_sign_out() {
    for endpoint in [default(), legacy()] {
        for code in ErrorCode::ALL {
            let body = format!(r#"{{"error":{{"code":"{code}"}}}}"#);
            let answer = endpoint.read(&response(code.http_status(), &body));
            let is_final = matches!(code.advice(), Advice::SignIn | Advice::Reject)
                && !code.as_str().starts_with("ERR_DPOP");
            assert_eq!(matches!(answer, RefreshAnswer::SignedOut(_)), is_final, "{code}");
            let superseded = *code == ErrorCode::RefreshSuperseded;
            assert_eq!(answer == RefreshAnswer::Superseded, superseded, "{code}");
        }
    }
}

#[test]
fn reads_the_reason_of_a_sign_out() {
    let reason = |code: &str, more: &str| {
        let body = format!(r#"{{"error":{{"code":"{code}"{more}}}}}"#);
        match read(401, &body) {
            RefreshAnswer::SignedOut(reason) => reason,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(reason("ERR_REFRESH_EXPIRED", ""), SignOutReason::Expired);
    assert_eq!(reason("ERR_REFRESH_REUSED", ""), SignOutReason::Reused);
    assert_eq!(reason("ERR_SESSION_UNKNOWN", ""), SignOutReason::Unknown);
    let logout = SignOutReason::Revoked(Some(RevocationReason::Logout));
    assert_eq!(reason("ERR_SESSION_REVOKED", r#","reason":"logout""#), logout);
    let theft = r#","reason":"reused""#;
    assert_eq!(reason("ERR_SESSION_REVOKED", theft), SignOutReason::Reused);
    let later = r#","reason":"of a later version""#;
    assert_eq!(reason("ERR_SESSION_REVOKED", later), SignOutReason::Revoked(None));
    let rejected = SignOutReason::Rejected(Some(ErrorCode::SignatureInvalid));
    assert_eq!(reason("ERR_SIGNATURE_INVALID", ""), rejected);
}

#[test]
fn unknown_codes_are_classified_by_their_advice() {
    let answer = |advice: &str| {
        read(401, &format!(r#"{{"error":{{"code":"ERR_LATER","advice":"{advice}"}}}}"#))
    };
    assert_eq!(answer("sign_in"), RefreshAnswer::SignedOut(SignOutReason::Rejected(None)));
    assert!(is_unavailable(&answer("retry")));
    assert!(is_unavailable(&answer("of a later version")));
}

#[test]
fn unexpected_responses_keep_the_tokens() {
    for (status, body) in [
        (200, "<html>Log in to this Wi-Fi</html>"),
        (200, "{}"),
        (200, r#"{"accessToken":""}"#),
        (200, r#"{"accessToken":7}"#),
        (204, ""),
        (302, ""),
        (401, ""),
        (401, "<html>"),
        (401, r#"{"error":"nope"}"#),
        (403, r#"{"error":{"code":42}}"#),
        (404, "null"),
        (409, ""),
        (419, ""),
        (429, "[]"),
        (500, "ERR_REFRESH_REUSED"),
        (502, r#"{"message":"bad gateway"}"#),
    ] {
        assert!(is_unavailable(&read(status, body)), "{status} {body}");
    }
}

#[test]
fn legacy_apps_reject_by_status() {
    let read = |status, body: &str| legacy().read(&response(status, body));
    let body = r#"{"message":"419/refreshToken이 유효하지 않습니다.","failedApi":"rtVerify"}"#;
    assert_eq!(read(419, body), RefreshAnswer::SignedOut(SignOutReason::Rejected(None)));
    assert_eq!(
        read(419, r#"{"code":"ERR_REFRESH_REUSED"}"#),
        RefreshAnswer::SignedOut(SignOutReason::Reused)
    );
    assert_eq!(read(409, "{}"), RefreshAnswer::Superseded);
    for status in [400, 401, 403, 500, 503] {
        assert!(is_unavailable(&read(status, "{}")), "{status}");
    }
}

#[test]
fn reads_retry_after() {
    let mut busy = response(503, "");
    busy.headers.push(("Retry-After".to_owned(), "20".to_owned()));
    let RefreshAnswer::Unavailable { cause, retry_after } = default().read(&busy) else { panic!() };
    assert_eq!(cause, TransientError::Server { status: 503, code: None });
    assert_eq!(retry_after, Some(Duration::from_secs(20)));
}

#[test]
fn reads_a_login_response() {
    let body = r#"{"accessToken":"Bearer a","refreshToken":"bearer r","userId":7}"#;
    let pair = RefreshEndpoint::read_login(body.as_bytes()).unwrap();
    assert_eq!((pair.access.expose(), pair.refresh.expose()), ("a", "r"));
    assert_eq!(pair.user_id(), Some("7"));
    for bad in ["", "{}", r#"{"accessToken":"a"}"#, r#"{"refreshToken":"r"}"#] {
        assert_eq!(RefreshEndpoint::read_login(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn check_rejects_invalid_urls_and_headers() {
    assert!(default().header("X-Api-Key", "a key").check().is_ok());
    assert!(RefreshEndpoint::json("HTTP://localhost:3000/refresh").check().is_ok());
    let field = |endpoint: RefreshEndpoint| match endpoint.check() {
        Err(Error::ConfigInvalid { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    for url in ["", "api.example", "ftp://api.example", "https://", "https://a b", "한https://a"] {
        assert_eq!(field(RefreshEndpoint::json(url)), "endpoint.url", "{url}");
    }
    for (name, value) in [("", "v"), ("a b", "v"), ("a:", "v"), ("a", "v\r\nb: c"), ("a", "\u{7f}")]
    {
        assert_eq!(field(default().header(name, value)), "endpoint.headers", "{name}: {value}");
    }
}
