use super::*;
use crate::types::RevocationReason;

fn response(status: u16, body: &str) -> Response {
    Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
}

fn pair() -> Pair {
    Pair::new(AccessToken::new("a"), RefreshToken::new("r")).user("7")
}

fn default() -> Endpoint {
    Endpoint::json("https://api.example/auth/refresh")
}

fn old() -> Endpoint {
    Endpoint::rt_verify("https://api.example/api/users/rtVerify")
}

fn read(status: u16, body: &str) -> Answer {
    default().read(&response(status, body))
}

fn is_unavailable(answer: &Answer) -> bool {
    matches!(answer, Answer::Unavailable { .. })
}

#[test]
fn asks_as_the_handler_reads() {
    let request = default().header("X-Api-Key", "planted").request(&pair());
    assert_eq!((request.method, &*request.url), ("POST", "https://api.example/auth/refresh"));
    assert_eq!(request.body, br#"{"refreshToken":"r"}"#);
    let has =
        |name: &str, value: &str| request.headers.contains(&(name.to_owned(), value.to_owned()));
    assert!(has("content-type", "application/json") && has("x-api-key", "planted"));
    assert!(!format!("{request:?} {:?}", default()).contains("planted"));
}

#[test]
fn asks_as_old_apps_read() {
    let request = old().request(&pair());
    assert_eq!((request.method, request.body.len()), ("GET", 0));
    for (name, value) in [("refreshtoken", "Bearer r"), ("userid", "7"), ("x-refresh-rotate", "1")]
    {
        assert!(request.headers.contains(&(name.to_owned(), value.to_owned())), "{name}");
    }
}

#[test]
fn understands_tokens() {
    let body = r#"{"accessToken":"a2","expiresIn":900,"refreshToken":"r2"}"#;
    let Answer::Granted(grant) = read(200, body) else { panic!() };
    assert_eq!((grant.access.expose(), grant.lifetime), ("a2", Some(Duration::from_secs(900))));
    assert_eq!(grant.refresh.unwrap().expose(), "r2");
    let answer = old().read(&response(200, r#"{"accessToken":"Bearer a2"}"#));
    let Answer::Granted(grant) = answer else { panic!() };
    assert_eq!((grant.access.expose(), grant.refresh), ("a2", None));
}

/// Whatever code there is: signed out if and only if its advice says that nothing else helps, and
/// it is of the session, not of a proof that a device with a wrong clock has made.
#[test]
fn only_final_codes_sign_out() {
    for endpoint in [default(), old()] {
        for code in ErrorCode::ALL {
            let body = format!(r#"{{"error":{{"code":"{code}"}}}}"#);
            let answer = endpoint.read(&response(code.http_status(), &body));
            let is_final = matches!(code.advice(), Advice::SignIn | Advice::Reject)
                && !code.as_str().starts_with("ERR_DPOP");
            assert_eq!(matches!(answer, Answer::SignedOut(_)), is_final, "{code}");
            let superseded = *code == ErrorCode::RefreshSuperseded;
            assert_eq!(answer == Answer::Superseded, superseded, "{code}");
        }
    }
}

#[test]
fn tells_the_reason() {
    let reason = |code: &str, more: &str| {
        let body = format!(r#"{{"error":{{"code":"{code}"{more}}}}}"#);
        match read(401, &body) {
            Answer::SignedOut(reason) => reason,
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
fn codes_of_a_later_version_go_by_their_advice() {
    let answer = |advice: &str| {
        read(401, &format!(r#"{{"error":{{"code":"ERR_LATER","advice":"{advice}"}}}}"#))
    };
    assert_eq!(answer("sign_in"), Answer::SignedOut(SignOutReason::Rejected(None)));
    assert!(is_unavailable(&answer("retry")));
    assert!(is_unavailable(&answer("of a later version")));
}

#[test]
fn what_is_not_the_servers_answer_keeps_the_tokens() {
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
fn old_apps_refuse_by_their_status() {
    let read = |status, body: &str| old().read(&response(status, body));
    let body = r#"{"message":"419/refreshToken이 유효하지 않습니다.","failedApi":"rtVerify"}"#;
    assert_eq!(read(419, body), Answer::SignedOut(SignOutReason::Rejected(None)));
    assert_eq!(
        read(419, r#"{"code":"ERR_REFRESH_REUSED"}"#),
        Answer::SignedOut(SignOutReason::Reused)
    );
    assert_eq!(read(409, "{}"), Answer::Superseded);
    for status in [400, 401, 403, 500, 503] {
        assert!(is_unavailable(&read(status, "{}")), "{status}");
    }
}

#[test]
fn a_server_may_ask_to_be_left_alone() {
    let mut busy = response(503, "");
    busy.headers.push(("Retry-After".to_owned(), "20".to_owned()));
    let Answer::Unavailable { trouble, retry_after } = default().read(&busy) else { panic!() };
    assert_eq!(trouble, Trouble::Server { status: 503, code: None });
    assert_eq!(retry_after, Some(Duration::from_secs(20)));
}

#[test]
fn reads_logins() {
    let body = r#"{"accessToken":"Bearer a","refreshToken":"bearer r","userId":7}"#;
    let pair = Endpoint::read_login(body.as_bytes()).unwrap();
    assert_eq!((pair.access.expose(), pair.refresh.expose()), ("a", "r"));
    assert_eq!(pair.user_id(), Some("7"));
    for bad in ["", "{}", r#"{"accessToken":"a"}"#, r#"{"refreshToken":"r"}"#] {
        assert_eq!(Endpoint::read_login(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
#[cfg(feature = "client")]
fn what_no_request_could_be_made_to_is_refused() {
    assert!(default().header("X-Api-Key", "a key").check().is_ok());
    assert!(Endpoint::json("HTTP://localhost:3000/refresh").check().is_ok());
    let field = |endpoint: Endpoint| match endpoint.check() {
        Err(Error::ConfigInvalid { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    for url in ["", "api.example", "ftp://api.example", "https://", "https://a b", "한https://a"] {
        assert_eq!(field(Endpoint::json(url)), "endpoint.url", "{url}");
    }
    for (name, value) in [("", "v"), ("a b", "v"), ("a:", "v"), ("a", "v\r\nb: c"), ("a", "\u{7f}")]
    {
        assert_eq!(field(default().header(name, value)), "endpoint.headers", "{name}: {value}");
    }
}
