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

fn oauth2() -> RefreshEndpoint {
    RefreshEndpoint::oauth2("https://id.example/token", Some("app".to_owned()))
}

#[test]
fn builds_and_reads_the_requests_of_oauth2() {
    let pair = TokenPair::new(AccessToken::new("a"), RefreshToken::new("a+b/c= d"));
    let request = oauth2().request(&pair);
    assert_eq!(request.method, "POST");
    let body = "grant_type=refresh_token&refresh_token=a%2Bb%2Fc%3D%20d&client_id=app";
    assert_eq!(String::from_utf8(request.body).unwrap(), body);
    let read = |status, body: &str| oauth2().read(&response(status, body));
    let granted = r#"{"access_token":"a2","token_type":"Bearer","expires_in":"900"}"#;
    let RefreshAnswer::Granted(grant) = read(200, granted) else { panic!() };
    assert_eq!((grant.access.expose(), grant.lifetime), ("a2", Some(Duration::from_secs(900))));
    let over = RefreshAnswer::SignedOut(SignOutReason::Rejected(None));
    assert_eq!(read(400, r#"{"error":"invalid_grant"}"#), over);
    for (status, body) in [
        (400, r#"{"error":"invalid_request"}"#),
        (401, r#"{"error":"invalid_client"}"#),
        (503, r#"{"error":"invalid_grant"}"#),
        (400, "invalid_grant"),
        (200, r#"{"accessToken":"a2"}"#),
    ] {
        assert!(is_unavailable(&read(status, body)), "{status} {body}");
    }
    // Only for this shape.
    assert!(is_unavailable(&default().read(&response(400, r#"{"error":"invalid_grant"}"#))));
}

#[test]
fn reads_enveloped_bodies_and_a_byte_order_mark() {
    let wrapped = default().envelope("data");
    let granted = r#"{"data":{"accessToken":"a2","refreshToken":"r2"},"ok":true}"#;
    assert!(matches!(wrapped.read(&response(200, granted)), RefreshAnswer::Granted(_)));
    assert!(is_unavailable(&default().read(&response(200, granted))));
    for body in [
        r#"{"error":{"code":"ERR_REFRESH_EXPIRED"}}"#,
        r#"{"data":{"error":{"code":"ERR_REFRESH_EXPIRED"}}}"#,
    ] {
        let over = RefreshAnswer::SignedOut(SignOutReason::Expired);
        assert_eq!(wrapped.read(&response(401, body)), over, "{body}");
    }
    assert!(wrapped.read_login_of(granted.as_bytes()).is_some());
    assert_eq!(RefreshEndpoint::read_login(granted.as_bytes()), None);
    let marked = "\u{feff}{\"accessToken\":\"a2\"}";
    assert!(matches!(read(200, marked), RefreshAnswer::Granted(_)));
}

#[test]
fn the_logout_endpoint_is_beside_that_of_the_refresh() {
    let url = |endpoint: &RefreshEndpoint| endpoint.logout_request(&pair()).map(|sent| sent.url);
    for (refresh, logout) in [
        ("https://api.example/auth/refresh", "https://api.example/auth/logout"),
        ("https://api.example/auth/refresh?x=/y", "https://api.example/auth/logout"),
        ("https://api.example/", "https://api.example/logout"),
        ("https://api.example", "https://api.example/logout"),
    ] {
        assert_eq!(url(&RefreshEndpoint::json(refresh)).as_deref(), Some(logout));
    }
    let other = default().logout("https://api.example/out");
    assert_eq!(url(&other).as_deref(), Some("https://api.example/out"));
    assert_eq!((url(&legacy()), url(&oauth2())), (None, None));
    let Err(Error::ConfigInvalid { field, .. }) = default().logout("/out").check() else {
        panic!()
    };
    assert_eq!(field, "endpoint.logout");
}

#[test]
fn a_session_is_revoked_or_over_or_asked_for_again() {
    use RevocationAnswer::{Refused, Revoked};
    let later = RevocationAnswer::Unavailable { retry_after: None };
    for (status, body, expected) in [
        (204, "", Revoked),
        (401, r#"{"error":{"code":"ERR_SESSION_REVOKED"}}"#, Revoked),
        (401, r#"{"error":{"code":"ERR_REFRESH_EXPIRED"}}"#, Revoked),
        (401, r#"{"error":{"code":"ERR_SIGNATURE_INVALID"}}"#, Refused),
        (401, r#"{"error":{"code":"ERR_DPOP_NONCE_REQUIRED"}}"#, later),
        (400, r#"{"message":"no"}"#, Refused),
        (404, "<html>", Refused),
        (401, "<html>Log in to this Wi-Fi</html>", later),
        (302, "", later),
        (429, "{}", later),
        (503, "", later),
    ] {
        assert_eq!(default().read_logout(&response(status, body)), expected, "{status} {body}");
    }
}
