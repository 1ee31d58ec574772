//! `regrant token`.

use std::sync::Arc;
use std::time::Duration;

use regrant::types::{Clock, ManualClock, RevocationReason, Subject, SystemClock};
use regrant::{Auth, Login, RefreshRequest};
use serde_json::json;

use crate::{Program, SECRET};

/// A server with its sessions in a file, an hour ago.
struct Server {
    program: Program,
    auth: Auth,
    clock: Arc<ManualClock>,
}

impl Server {
    fn new(access: serde_json::Value) -> Self {
        Self::with_rotation(access, true)
    }

    fn with_rotation(access: serde_json::Value, rotation: bool) -> Self {
        let mut config = json!({
            "secret": SECRET, "access": access, "refresh": { "rotation": rotation },
            "store": "file:sessions.db",
        });
        let program = Program::configured(&config);
        config["store"] = format!("file:{}", program.path("sessions.db").display()).into();
        let clock = Arc::new(ManualClock::new(SystemClock.now().minus(Duration::from_secs(3600))));
        let auth = Auth::from_json(&config.to_string()).unwrap();
        let auth = auth.clock(Arc::clone(&clock) as Arc<dyn Clock>).build().unwrap();
        Self { program, auth, clock }
    }

    async fn login(&self) -> regrant::TokenPair {
        self.auth.login(Login::new(Subject::new("user-1").unwrap())).await.unwrap()
    }

    async fn refresh(&self, token: &str) -> String {
        let renewed = self.auth.refresh(RefreshRequest::new(token)).await.unwrap();
        renewed.refresh_token.unwrap().expose().to_owned()
    }

    /// The verdict on a token: its code, or how it would be renewed.
    fn verdict(&self, token: &str) -> String {
        let outcome = self.program.run(&["token", "check", "--json", token]);
        let json = outcome.json();
        let accepted = json["accepted"].as_bool().unwrap();
        assert_eq!(outcome.status, Some(i32::from(!accepted)), "{outcome:#?}");
        assert_eq!(json["storeAsked"], true);
        let word = if accepted { &json["renewal"] } else { &json["code"] };
        word.as_str().unwrap_or("accepted").to_owned()
    }
}

/// Lives for hours, so that it is good now.
fn long() -> serde_json::Value {
    json!({ "ttl": "8h", "issuer": "https://app.example" })
}

#[tokio::test]
async fn decode_shows_all_claims_and_warns_that_they_are_not_verified() {
    let server = Server::new(long());
    let pair = server.login().await;
    let token = pair.access_token.expose();
    let decoded = Program::new().run(&["token", "decode", token]).fine();
    decoded.says(&[
        "NOT VERIFIED",
        "access token",
        "HS256",
        "user-1",
        "minutes ago)",
        "(in 6 hours)",
    ]);

    let input = format!("  Bearer {token}\n");
    let json = Program::new().run_with_input(&["token", "decode", "-", "--json"], &input).fine();
    let json = json.json();
    assert_eq!((&json["verified"], &json["kind"]), (&false.into(), &"access".into()));
    assert_eq!((&json["claims"]["sub"], &json["expired"]), (&"user-1".into(), &false.into()));
    assert_eq!(json["expiresAt"], json["claims"]["exp"].as_i64().unwrap() * 1000);

    let refresh = pair.refresh_token.expose();
    let json = Program::new().run(&["token", "decode", refresh, "--json"]).fine().json();
    assert_eq!((&json["kind"], &json["expiresAt"]), (&"refresh".into(), &json["claims"]["exp"]));
}

#[test]
fn an_invalid_token_is_not_echoed() {
    let failed = Program::new().run(&["token", "decode", "secret-looking.text"]).ended(1);
    let failed = failed.complains(&["The token is malformed"]);
    assert!(!failed.stderr.contains("secret-looking"));
    Program::new().run(&["token", "decode", "-"]).ended(2).complains(&["no token given"]);
}

/// A claim that would clear the screen.
#[test]
fn control_characters_of_a_token_are_escaped() {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let payload = encode(r#"{"sub":"\u001b[2J\u009b","x\u001b":["\u001b"]}"#);
    let token = format!("{}.{payload}.AA", encode(r#"{"alg":"none"}"#));
    let decoded = Program::new().run(&["token", "decode", &token]).fine().says(&["\\u{1b}[2J"]);
    assert!(!decoded.stdout.contains(['\x1b', '\u{9b}']));
}

#[tokio::test]
async fn an_access_token_is_accepted_until_its_session_is_revoked() {
    let server = Server::new(long());
    let pair = server.login().await;
    let token = pair.access_token.expose();
    let check = ["token", "check", token];
    server.program.run(&check).fine().says(&[
        "accepted as an access token",
        "user-1",
        "in 6 hours",
    ]);
    assert_eq!(server.verdict(token), "accepted");

    let reason = RevocationReason::Administrative;
    server.auth.revoke_session(&pair.subject, &pair.session, reason).await.unwrap();
    assert_eq!(server.verdict(token), "ERR_ACCESS_REVOKED");
    assert_eq!(server.verdict(pair.refresh_token.expose()), "ERR_SESSION_REVOKED");
    for (token, kind) in [(token, "access"), (pair.refresh_token.expose(), "refresh")] {
        let rejected = server.program.run(&["token", "check", "--json", token]).ended(1).json();
        assert_eq!((&rejected["kind"], &rejected["accepted"]), (&kind.into(), &false.into()));
        assert_eq!(rejected["subject"], "user-1");
        assert_eq!(rejected["sessionId"], pair.session.to_string());
        assert_eq!(rejected["renewal"], json!(null));
    }
    server.program.run(&check).ended(1).says(&["ERR_ACCESS_REVOKED", "user-1"]);
    // Offline the revocation is not visible.
    let offline = server.program.run(&["token", "check", token, "--offline"]).fine();
    offline.says(&["accepted", "not checked"]);
}

#[tokio::test]
async fn checking_a_refresh_token_predicts_the_refresh_and_changes_nothing() {
    let server = Server::new(long());
    let first = server.login().await.refresh_token.expose().to_owned();
    let second = server.refresh(&first).await;
    server.clock.advance(Duration::from_secs(600));
    let third = server.refresh(&second).await;

    for _ in 0..2 {
        assert_eq!(server.verdict(&first), "ERR_REFRESH_REUSED");
        assert_eq!(server.verdict(&second), "issued");
        assert_eq!(server.verdict(&third), "issued");
    }
    let text = server.program.run(&["token", "check", &first]).ended(1);
    text.says(&["rejected ERR_REFRESH_REUSED", "sign_in", "would be treated as reuse"]);
    // The reuse was not recorded.
    server.refresh(&third).await;
}

#[tokio::test]
async fn without_rotation_the_renewal_is_kept() {
    let server = Server::with_rotation(long(), false);
    assert_eq!(server.verdict(server.login().await.refresh_token.expose()), "kept");
}

#[tokio::test]
async fn a_rejected_token_is_explained() {
    let server = Server::new(json!({ "ttl": "10m", "issuer": "https://app.example" }));
    let pair = server.login().await;
    let (access, refresh) = (pair.access_token.expose(), pair.refresh_token.expose());
    let refused = |arguments: &[&str], parts: &[&str]| {
        let arguments = [&["token", "check", "--offline"], arguments].concat();
        server.program.run(&arguments).ended(1).says(parts);
    };
    refused(&[access], &["ERR_TOKEN_EXPIRED", "advice", "refresh", "minutes ago)"]);
    // A signature's last character may stand for the same bytes; one in the middle never does.
    let at = access.rfind('.').unwrap() + 9;
    let other = if &access[at..=at] == "A" { "B" } else { "A" };
    let forged = format!("{}{other}{}", &access[..at], &access[at + 1..]);
    refused(&[&forged], &["ERR_SIGNATURE_INVALID", "another secret"]);
    refused(&["--as", "access", refresh], &["ERR_SIGNATURE_INVALID", "it is a refresh token"]);
    refused(&["--as", "refresh", access], &["ERR_TYP_MISMATCH", "it is an access token"]);
    refused(&["not-a-token"], &["ERR_TOKEN_MALFORMED", "reject"]);

    let other = Server::new(json!({ "ttl": "8h", "issuer": "https://other.example" }));
    let foreign = other.login().await;
    let parts = ["ERR_ISSUER_MISMATCH", "https://other.example", "https://app.example"];
    refused(&[foreign.access_token.expose()], &parts);
}

#[tokio::test]
async fn an_unreachable_store_is_a_failure() {
    let server = Server::new(long());
    let token = server.login().await.access_token.expose().to_owned();
    let with = |store: &'static str| ["token", "check", &token, "--store", store].map(String::from);
    let run = |arguments: [String; 5]| {
        server.program.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    run(with("redis://127.0.0.1:1/0")).ended(3).complains(&["store"]);
    // A missing file is not created.
    run(with("file:typo.db")).ended(2).complains(&["no such file: typo.db"]);
    assert!(!server.program.path("typo.db").exists());
}

/// Without a store the session is not checked, and the default file is not created.
#[tokio::test]
async fn a_secret_alone_is_enough() {
    let server = Server::new(long());
    let token = server.login().await.access_token.expose().to_owned();
    let program = Program::configured(&json!({ "access": long() })).env("REGRANT_SECRET", SECRET);
    program.run(&["token", "check", &token]).fine().says(&["accepted", "not checked"]);
    assert_eq!(std::fs::read_dir(program.path(".")).unwrap().count(), 1);
}

#[test]
fn a_token_cannot_be_checked_without_a_secret() {
    let failed = Program::new().run(&["token", "check", "a.b.c"]).ended(2);
    failed.complains(&["secret: is required"]);
    let both = Program::new().run(&["token", "check", "-", "--config", "-"]).ended(2);
    both.complains(&["standard input"]);
}
