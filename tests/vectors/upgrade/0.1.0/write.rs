//! Writes the fixtures of this folder. Not compiled with the workspace: `../README.md` says how it is run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use regrant::auth::SweepOptions;
use regrant::client::{
    Endpoint, FileStorage, Pair, Request, Response, Session, Settings, TokenStorage as _, Transport,
};
use regrant::dpop::{ProofKey, Prover, SoftwareKey};
use regrant::error::Cause;
use regrant::identity::{SessionId, Subject};
use regrant::revocation::RevocationReason;
use regrant::session::DeviceLabel;
use regrant::time::{Clock, ManualClock, Timestamp};
use regrant::{Auth, Login, LogoutEverywhere, RefreshRequest, Renewed};
use regrant_test_support::RedisServer;
use serde_json::{Map, Value, json};
use sha2::Sha256;

const SECRET: &str = "an access secret of at least 32 bytes";
const REFRESH_SECRET: &str = "a refresh secret, at least as long";
const LEGACY_SECRET: &str = "a secret of the tests, of the legacy app";
const ORIGIN: &str = "https://api.example";
/// The instant at which the fixtures are read: 2025-10-09T08:53:20Z.
const NOW: i64 = 1_760_000_000;
const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;
/// How far in the past whatever is to be beyond the grace was done; its access tokens live.
const LATELY: i64 = -6 * MINUTE;

fn configs() -> Value {
    json!({
        "main": { "secret": SECRET, "dpop": { "origin": ORIGIN } },
        "refresh_secret": { "secret": SECRET, "refreshSecret": REFRESH_SECRET },
        "issuer": {
            "secret": SECRET,
            "access": { "issuer": "https://id.example", "audience": "api", "jti": true, "subjectClaim": "userId" },
        },
        "limited": {
            "secret": SECRET,
            "refresh": { "maxSessions": 3, "limiter": { "failures": 5, "window": "1h" } },
        },
        "no_rotation": { "secret": SECRET, "refresh": { "rotation": false } },
        "legacy_access": { "secret": SECRET, "access": { "subjectClaim": "userId", "legacy": true } },
        "migrating": { "secret": SECRET, "migrate": { "secret": LEGACY_SECRET } },
    })
}

struct Writer {
    clock: Arc<ManualClock>,
    auths: BTreeMap<String, Auth>,
    legacy: redis::Connection,
    key: SoftwareKey,
    tokens: Map<String, Value>,
    subjects: BTreeMap<String, Value>,
    scenarios: Vec<Value>,
}

impl Writer {
    fn new(store: &str, legacy: &str) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(NOW)));
        let mut auths = BTreeMap::new();
        for (name, config) in configs().as_object().unwrap() {
            let mut config = config.clone();
            config["store"] = store.into();
            if name == "migrating" {
                config["migrate"]["store"] = legacy.into();
            }
            let auth = Auth::from_json(&config.to_string())
                .unwrap()
                .clock(Arc::clone(&clock) as Arc<dyn Clock>)
                .build()
                .unwrap();
            auths.insert(name.clone(), auth);
        }
        let legacy = redis::Client::open(legacy).unwrap().get_connection().unwrap();
        let key = SoftwareKey::generate().unwrap();
        Self {
            clock,
            auths,
            legacy,
            key,
            tokens: Map::new(),
            subjects: BTreeMap::new(),
            scenarios: Vec::new(),
        }
    }

    fn at(&self, seconds: i64) {
        self.clock.set(Timestamp::from_seconds(NOW + seconds));
    }

    fn auth(&self, config: &str) -> Auth {
        self.auths[config].clone()
    }

    fn keep(
        &mut self,
        name: &str,
        config: &str,
        refresh: &str,
        access: &str,
        sub: &str,
        sid: SessionId,
    ) {
        self.subjects.insert(sub.to_owned(), Value::Null);
        self.tokens.insert(
            name.to_owned(),
            json!({ "config": config, "subject": sub, "sessionId": sid, "refresh": refresh, "access": access }),
        );
    }

    async fn login_as(&mut self, config: &str, name: &str, login: Login) {
        let pair = self.auth(config).login(login).await.unwrap();
        let (refresh, access) = (pair.refresh_token.expose(), pair.access_token.expose());
        self.keep(name, config, refresh, access, pair.subject.as_str(), pair.session);
    }

    /// Logs in the user that is named as the part before the slash.
    async fn login(&mut self, config: &str, name: &str) {
        let login = Login::new(subject(name.split('/').next().unwrap()));
        self.login_as(config, name, login).await;
    }

    fn token(&self, name: &str, kind: &str) -> String {
        self.tokens[name][kind].as_str().unwrap().to_owned()
    }

    fn session(&self, name: &str) -> SessionId {
        self.tokens[name]["sessionId"].as_str().unwrap().parse().unwrap()
    }

    fn granted(&mut self, config: &str, name: &str, renewed: Renewed) {
        let refresh = renewed.refresh_token.as_ref().map_or("", |token| token.expose()).to_owned();
        let access = renewed.access_token.expose().to_owned();
        self.keep(name, config, &refresh, &access, renewed.subject.as_str(), renewed.session);
    }

    async fn refresh(&mut self, config: &str, from: &str, name: &str) {
        let token = self.token(from, "refresh");
        let renewed = self.auth(config).refresh(RefreshRequest::new(&token)).await.unwrap();
        self.granted(config, name, renewed);
    }

    async fn refused(&self, config: &str, from: &str, code: &str) {
        let token = self.token(from, "refresh");
        let refused = self.auth(config).refresh(RefreshRequest::new(&token)).await;
        assert_eq!(refused.unwrap_err().code().as_str(), code);
    }

    fn proof(&self) -> regrant::dpop::Proof {
        let url = format!("{ORIGIN}/auth/refresh");
        let prover = Prover {
            method: "POST",
            url: &url,
            now: self.clock.now(),
            nonce: None,
            access_token: None,
        };
        let proof = prover.prove(&self.key).unwrap();
        self.auth("main").check_proof(&proof, "POST", "/auth/refresh").unwrap()
    }

    /// Shows an access token, and waits until the store has heard of it.
    async fn use_access(&self, config: &str, name: &str) {
        self.auth(config).verify(&self.token(name, "access")).unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    fn scenario(&mut self, name: &str, config: &str, steps: Value) {
        self.scenarios.push(json!({ "name": name, "config": config, "steps": steps }));
    }

    /// A session whose newest token is `token` goes on.
    fn goes_on(&mut self, config: &str, token: &str) {
        let steps = json!([
            { "refresh": token, "answer": "issued" },
            { "refresh": "last", "answer": "issued" },
            { "advance": HOUR * 1000 },
            { "refresh": "last", "answer": "issued" },
        ]);
        self.scenario(&format!("{token} goes on"), config, steps);
    }

    fn is_theft(&mut self, config: &str, old: &str, newest: &str) {
        let steps = json!([
            { "refresh": old, "answer": "ERR_REFRESH_REUSED" },
            { "refresh": newest, "answer": "ERR_SESSION_REVOKED", "reason": "reused" },
        ]);
        self.scenario(&format!("{old} is reused"), config, steps);
    }

    fn is_revoked(&mut self, config: &str, token: &str, reason: &str) {
        let steps = json!([
            { "refresh": token, "answer": "ERR_SESSION_REVOKED", "reason": reason },
            { "verify": token, "answer": "ERR_ACCESS_REVOKED" },
        ]);
        self.scenario(&format!("{token} stays revoked"), config, steps);
    }

    async fn sessions(&mut self) {
        self.at(-90 * DAY + MINUTE);
        self.login("main", "absolute/login").await;
        let mut before = "absolute/login".to_owned();
        for generation in 1..=9 {
            self.at(-90 * DAY + MINUTE + generation * 10 * DAY - HOUR);
            let name = format!("absolute/{generation}");
            self.refresh("main", &before, &name).await;
            before = name;
        }
        self.scenario(
            "near its absolute end",
            "main",
            json!([
                { "refresh": before, "answer": "issued" },
                { "advance": 59_000 },
                { "refresh": "last", "answer": "issued" },
                { "advance": 1_000 },
                { "refresh": "last", "answer": "ERR_REFRESH_EXPIRED" },
            ]),
        );

        self.at(-15 * DAY);
        self.login("main", "idled-out/login").await;
        self.scenario(
            "idled out",
            "main",
            json!([{ "refresh": "idled-out/login", "answer": "ERR_REFRESH_EXPIRED" }]),
        );

        self.at(-14 * DAY + MINUTE);
        self.login("main", "idle/login").await;
        self.goes_on("main", "idle/login");
        self.scenario(
            "near its idle end",
            "main",
            json!([
                { "advance": 59_999 },
                { "refresh": "idle/login", "answer": "issued" },
            ]),
        );
        self.scenario(
            "at its idle end",
            "main",
            json!([
                { "advance": 60_000 },
                { "refresh": "idle/login", "answer": "ERR_REFRESH_EXPIRED" },
            ]),
        );

        for (config, name) in [
            ("main", "fresh"),
            ("refresh_secret", "given-secret"),
            ("issuer", "issuer"),
            ("main", "사용자 \"1\"@예.kr"),
            ("main", "7"),
        ] {
            self.at(LATELY);
            let login = format!("{name}/login");
            self.login(config, &login).await;
            self.goes_on(config, &login);
            self.scenario(
                &format!("{name}: for its user only"),
                config,
                json!([
                    { "refresh": login, "as": "somebody-else", "answer": "ERR_SUBJECT_MISMATCH" },
                    { "refresh": login, "as": name, "answer": "issued" },
                ]),
            );
            self.scenario(
                &format!("{name} logs out"),
                config,
                json!([
                    { "verify": login, "answer": "ok" },
                    { "logout": login, "answer": true },
                    { "verify": login, "answer": "ERR_ACCESS_REVOKED" },
                    { "refresh": login, "answer": "ERR_SESSION_REVOKED", "reason": "logout" },
                ]),
            );
        }

        for (name, label) in [
            ("phone", "Safari on iPhone"),
            ("laptop", "가나다 – Ω, \"Firefox\""),
            ("none", ""),
            ("long", "sixty-four bytes of a label that is as long as one may ever be.!"),
        ] {
            self.at(LATELY - 1);
            let login = Login::new(subject("devices")).device(DeviceLabel::new(label).unwrap());
            let login_name = format!("devices/{name}");
            self.login_as("main", &login_name, login).await;
            self.goes_on("main", &login_name);
        }
        self.at(LATELY);
        self.refresh("main", "devices/phone", "devices/phone-1").await;
        self.goes_on("main", "devices/phone-1");
        self.scenario("everywhere but here", "main", json!([
            { "everywhere": "devices", "except": "devices/laptop", "answer": 3 },
            { "refresh": "devices/laptop", "answer": "issued" },
            { "refresh": "devices/none", "answer": "ERR_SESSION_REVOKED", "reason": "logout_everywhere" },
            { "verify": "devices/none", "answer": "ERR_ACCESS_REVOKED" },
            { "verify": "devices/laptop", "answer": "ok" },
        ]));

        // A chain whose newest token was not presented yet.
        self.at(-6 * HOUR);
        self.login("main", "rotated/login").await;
        let mut before = "rotated/login".to_owned();
        for generation in 1..=5 {
            self.at(-6 * HOUR
                + generation * HOUR
                + if generation == 5 { HOUR + LATELY } else { 0 });
            let name = format!("rotated/{generation}");
            self.refresh("main", &before, &name).await;
            before = name;
        }
        self.goes_on("main", "rotated/5");
        self.is_theft("main", "rotated/login", "rotated/5");
        self.is_theft("main", "rotated/3", "rotated/5");
        self.scenario(
            "the parent may ask again, and its first child is then theft",
            "main",
            json!([
                { "refresh": "rotated/4", "answer": "issued" },
                { "refresh": "rotated/5", "answer": "ERR_REFRESH_REUSED" },
                { "refresh": "last", "answer": "ERR_SESSION_REVOKED", "reason": "reused" },
            ]),
        );

        // A child whose access token was used.
        self.at(-HOUR);
        self.login("main", "used/login").await;
        self.at(LATELY);
        self.refresh("main", "used/login", "used/1").await;
        self.use_access("main", "used/1").await;
        self.goes_on("main", "used/1");
        self.is_theft("main", "used/login", "used/1");

        // A child that was lost: its parent has another one.
        for (name, generation) in [("branch", 0), ("later-branch", 1)] {
            self.at(-2 * HOUR);
            self.login("main", &format!("{name}/login")).await;
            let mut parent = format!("{name}/login");
            if generation == 1 {
                self.at(-HOUR);
                self.refresh("main", &parent, &format!("{name}/parent")).await;
                parent = format!("{name}/parent");
            }
            let (lost, kept) = (format!("{name}/lost"), format!("{name}/kept"));
            self.at(LATELY);
            self.refresh("main", &parent, &lost).await;
            self.at(LATELY + MINUTE);
            self.refresh("main", &parent, &kept).await;
            self.goes_on("main", &kept);
            self.is_theft("main", &lost, &kept);
            self.scenario(
                &format!("{name}: access of the lost child"),
                "main",
                json!([
                    { "verify": kept, "answer": "ok" },
                    { "verify": lost, "answer": "ERR_ACCESS_REVOKED" },
                ]),
            );
        }

        // A confirmed token without a child.
        self.at(-HOUR);
        self.login("main", "no-child/login").await;
        self.at(LATELY - MINUTE);
        self.refresh("main", "no-child/login", "no-child/1").await;
        self.at(LATELY);
        let token = self.token("no-child/1", "refresh");
        self.auth("main").refresh(RefreshRequest::new(&token).rotate(false)).await.unwrap();
        self.goes_on("main", "no-child/1");
        self.is_theft("main", "no-child/login", "no-child/1");

        self.at(LATELY);
        self.login("no_rotation", "no-rotation/login").await;
        self.refresh("no_rotation", "no-rotation/login", "no-rotation/kept").await;
        self.scenario(
            "without rotation",
            "no_rotation",
            json!([
                { "refresh": "no-rotation/login", "answer": "kept" },
                { "advance": HOUR * 1000 },
                { "refresh": "no-rotation/login", "answer": "kept" },
            ]),
        );
        self.goes_on("main", "no-rotation/login");

        self.bound().await;
        self.revoked().await;
        self.limits().await;
        self.migrated().await;

        // Last, as they are within the grace at NOW.
        self.at(-HOUR);
        self.login("main", "grace/login").await;
        self.login("main", "superseded/login").await;
        self.at(-3);
        self.refresh("main", "grace/login", "grace/1").await;
        self.refresh("main", "superseded/login", "superseded/1").await;
        self.at(-2);
        self.refresh("main", "superseded/1", "superseded/2").await;
        self.goes_on("main", "grace/1");
        self.goes_on("main", "superseded/2");
        self.scenario(
            "the same child once more, bit for bit",
            "main",
            json!([
                { "refresh": "grace/login", "answer": "reissued", "same": "grace/1" },
                { "refresh": "superseded/1", "answer": "reissued", "same": "superseded/2" },
                { "refresh": "superseded/login", "answer": "ERR_REFRESH_SUPERSEDED" },
                { "refresh": "superseded/2", "answer": "issued" },
            ]),
        );
        self.scenario(
            "after the grace",
            "main",
            json!([
                { "refresh": "grace/1", "answer": "issued" },
                { "advance": 10_001 },
                { "refresh": "grace/login", "answer": "ERR_REFRESH_REUSED" },
            ]),
        );
    }

    async fn bound(&mut self) {
        self.at(LATELY - MINUTE);
        let login = Login::new(subject("bound")).proof(self.proof());
        self.login_as("main", "bound/login", login).await;
        self.at(LATELY);
        let (token, proof) = (self.token("bound/login", "refresh"), self.proof());
        let renewed = self.auth("main").refresh(RefreshRequest::new(&token).proof(proof)).await;
        self.granted("main", "bound/1", renewed.unwrap());
        self.scenario(
            "bound to a key",
            "main",
            json!([
                { "verify": "bound/1", "answer": "ERR_DPOP_PROOF_MISSING" },
                { "verify": "bound/1", "answer": "ok", "proof": true },
                { "refresh": "bound/1", "answer": "ERR_DPOP_PROOF_MISSING" },
                { "refresh": "bound/1", "answer": "issued", "proof": true },
                { "refresh": "last", "answer": "issued", "proof": true },
                { "advance": HOUR * 1000 },
                { "refresh": "last", "answer": "issued", "proof": true },
                { "refresh": "bound/login", "answer": "ERR_REFRESH_REUSED", "proof": true },
            ]),
        );
    }

    async fn revoked(&mut self) {
        self.at(LATELY);
        for name in [
            "logged-out/login",
            "everywhere/login",
            "everywhere/other",
            "administrative/login",
            "stolen/login",
        ] {
            self.login("main", name).await;
        }
        self.at(LATELY + 2);
        self.refresh("main", "logged-out/login", "logged-out/1").await;
        self.refresh("main", "stolen/login", "stolen/1").await;
        self.at(LATELY + 20);
        self.refresh("main", "stolen/1", "stolen/2").await;
        self.at(LATELY + MINUTE);
        let main = self.auth("main");
        assert!(main.logout(&self.token("logged-out/1", "refresh")).await.unwrap());
        assert_eq!(
            main.logout_everywhere(LogoutEverywhere::new(subject("everywhere"))).await.unwrap(),
            2
        );
        let (user, session) = (subject("administrative"), self.session("administrative/login"));
        assert!(
            main.revoke_session(&user, &session, RevocationReason::Administrative).await.unwrap()
        );
        self.refused("main", "stolen/login", "ERR_REFRESH_REUSED").await;
        // Access tokens of the legacy app name no session: they are denied by their user.
        for user in ["everywhere", "fresh"] {
            let claims = json!({ "userId": user, "iat": NOW - 10 * MINUTE, "exp": NOW + HOUR });
            let access = sign(r#"{"alg":"HS256","typ":"JWT"}"#, &claims, SECRET);
            self.tokens.insert(
                format!("{user}/legacy"),
                json!({ "config": "legacy_access", "subject": user, "sessionId": null, "access": access }),
            );
        }
        self.is_revoked("main", "logged-out/1", "logout");
        self.is_revoked("main", "logged-out/login", "logout");
        self.is_revoked("main", "everywhere/login", "logout_everywhere");
        self.is_revoked("main", "everywhere/other", "logout_everywhere");
        self.is_revoked("main", "administrative/login", "administrative");
        self.is_revoked("main", "stolen/2", "reused");
        self.is_revoked("main", "stolen/login", "reused");
    }

    async fn limits(&mut self) {
        for (number, name) in
            ["displaced/1", "displaced/2", "displaced/3", "displaced/4"].into_iter().enumerate()
        {
            self.at(LATELY + i64::try_from(number).unwrap());
            self.login("limited", name).await;
        }
        self.is_revoked("limited", "displaced/1", "displaced");
        self.goes_on("limited", "displaced/2");
        self.scenario("a full user: the oldest gives way to one more", "limited", json!([
            { "login": "displaced", "answer": "displaced/login" },
            { "refresh": "displaced/2", "answer": "ERR_SESSION_REVOKED", "reason": "displaced" },
            { "refresh": "displaced/3", "answer": "issued" },
        ]));

        self.at(LATELY);
        self.login("limited", "failing/out").await;
        self.login("limited", "failing/in").await;
        self.at(-MINUTE);
        let token = self.token("failing/out", "refresh");
        assert!(self.auth("limited").logout(&token).await.unwrap());
        for _ in 0..4 {
            self.refused("limited", "failing/out", "ERR_SESSION_REVOKED").await;
        }
        for _ in 0..5 {
            let refused = self
                .auth("limited")
                .refresh(RefreshRequest::new("a.b.c").address("192.0.2.7"))
                .await;
            assert_eq!(refused.unwrap_err().code().as_str(), "ERR_TOKEN_MALFORMED");
        }
        self.scenario("failures of a user go on being counted", "limited", json!([
            { "refresh": "failing/out", "answer": "ERR_SESSION_REVOKED", "reason": "logout" },
            { "refresh": "failing/out", "answer": "ERR_TOO_MANY_ATTEMPTS", "retryAfter": (59 * MINUTE) * 1000 },
            { "refresh": "failing/in", "answer": "issued" },
            { "advance": 59 * MINUTE * 1000 },
            { "refresh": "failing/out", "answer": "ERR_SESSION_REVOKED", "reason": "logout" },
        ]));
        self.scenario("failures of an address go on being counted", "limited", json!([
            { "refresh": "nonsense", "address": "192.0.2.8", "answer": "ERR_TOKEN_MALFORMED" },
            { "refresh": "nonsense", "address": "192.0.2.7", "answer": "ERR_TOO_MANY_ATTEMPTS", "retryAfter": (59 * MINUTE) * 1000 },
            { "refresh": "failing/in", "address": "192.0.2.7", "answer": "issued" },
        ]));
    }

    /// A login of the legacy app; `kept` says whether its Redis knows it.
    fn legacy(&mut self, name: &str, user: &str, claims: &Value) {
        let token = sign(r#"{"alg":"HS256","typ":"JWT"}"#, claims, LEGACY_SECRET);
        let _: () = redis::cmd("SET").arg(&token).arg(user).query(&mut self.legacy).unwrap();
        self.subjects.insert(user.to_owned(), Value::Null);
        self.tokens.insert(
            name.to_owned(),
            json!({ "config": "migrating", "subject": user, "refresh": token }),
        );
    }

    async fn migrated(&mut self) {
        let month = json!({ "iat": NOW - 20 * DAY, "exp": NOW + 10 * DAY });
        let ago = |days: i64| json!({ "iat": NOW - days * DAY, "exp": NOW + 30 * DAY });
        // The sweep first: it takes over whatever is there.
        self.at(-DAY);
        self.legacy("legacy-swept/login", "legacy-swept", &ago(9));
        let swept =
            self.auth("migrating").sweep_old_tokens(SweepOptions::default(), |_| {}).await.unwrap();
        assert_eq!(swept.converted, 1);
        self.legacy("legacy/login", "legacy", &month);
        self.legacy("legacy-kept/login", "legacy-kept", &ago(8));
        self.legacy("legacy-rotated/login", "legacy-rotated", &ago(7));
        self.legacy("legacy-out/login", "legacy-out", &ago(6));
        self.legacy("legacy-everywhere/login", "legacy-everywhere", &ago(5));
        self.legacy("legacy-forever/login", "legacy-forever", &json!({ "iat": NOW - 400 * DAY }));
        self.at(-HOUR);
        let token = self.token("legacy-kept/login", "refresh");
        self.auth("migrating").refresh(RefreshRequest::new(&token).rotate(false)).await.unwrap();
        self.refresh("migrating", "legacy-rotated/login", "legacy-rotated/1").await;
        self.refresh("migrating", "legacy-out/login", "legacy-out/1").await;
        self.at(LATELY);
        self.refresh("migrating", "legacy-rotated/1", "legacy-rotated/2").await;
        assert!(
            self.auth("migrating").logout(&self.token("legacy-out/1", "refresh")).await.unwrap()
        );
        self.auth("migrating")
            .logout_everywhere(LogoutEverywhere::new(subject("legacy-everywhere")))
            .await
            .unwrap();
        for token in [
            "legacy-swept/login",
            "legacy/login",
            "legacy-kept/login",
            "legacy-rotated/2",
            "legacy-forever/login",
        ] {
            self.goes_on("migrating", token);
        }
        self.is_theft("migrating", "legacy-rotated/login", "legacy-rotated/2");
        self.scenario("legacy-out stays logged out", "migrating", json!([
            { "refresh": "legacy-out/login", "answer": "ERR_SESSION_REVOKED", "reason": "logout" },
            { "refresh": "legacy-out/1", "answer": "ERR_SESSION_REVOKED", "reason": "logout" },
        ]));
        self.scenario("legacy-everywhere stays logged out", "migrating", json!([
            { "refresh": "legacy-everywhere/login", "answer": "ERR_SESSION_REVOKED", "reason": "logout_everywhere" },
        ]));
        self.scenario(
            "a migrated session needs the legacy app no longer",
            "main",
            json!([
                { "refresh": "legacy-rotated/2", "answer": "issued" },
            ]),
        );
    }

    /// Has the store saved as it is, and gives what it says and what is expected of it.
    async fn finish(mut self, name: &str, save: impl FnOnce()) -> Value {
        self.at(0);
        for (user, sessions) in &mut self.subjects {
            let found = self.auths["main"].sessions(&subject(user), None).await.unwrap();
            *sessions = serde_json::to_value(found).unwrap();
        }
        // Before tokens are shown, which the store would be told.
        save();
        // Each configuration has a process of its own, as it were, which reads the feed.
        tokio::time::sleep(Duration::from_secs(1)).await;
        // What verifies, and what does not and why.
        let verified: Map<String, Value> = self
            .tokens
            .iter()
            .filter_map(|(name, token)| {
                Some((name, token["config"].as_str()?, token["access"].as_str()?))
            })
            .map(|(name, config, access)| {
                let answer = match self.auths[config].verify(access) {
                    Ok(_) => "ok",
                    Err(error) => error.code().as_str(),
                };
                (name.clone(), answer.into())
            })
            .collect();
        assert!(verified.values().any(|answer| answer == "ERR_ACCESS_REVOKED"));
        json!({
            "description": name,
            "now": NOW * 1000,
            "configs": configs(),
            "dpop": { "origin": ORIGIN, "method": "POST", "path": "/auth/refresh",
                "key": std::str::from_utf8(self.key.pem().expose()).unwrap() },
            "tokens": self.tokens,
            "access": verified,
            "sessions": self.subjects,
            "scenarios": self.scenarios,
        })
    }
}

fn subject(id: &str) -> Subject {
    Subject::new(id).unwrap()
}

fn sign(header: &str, claims: &Value, secret: &str) -> String {
    let input = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(&input);
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// The contents of a Redis as the commands that bring them back.
fn commands(url: &str) -> Value {
    let mut connection = redis::Client::open(url).unwrap().get_connection().unwrap();
    let mut ask = |words: &[&[u8]]| -> redis::Value {
        let mut command = redis::cmd(std::str::from_utf8(words[0]).unwrap());
        command.arg(&words[1..]).query(&mut connection).unwrap()
    };
    let bytes = |value: redis::Value| redis::from_redis_value::<Vec<Vec<u8>>>(value).unwrap();
    let mut keys = bytes(ask(&[b"KEYS", b"*"]));
    keys.sort();
    let mut all = Vec::new();
    for key in keys {
        let kind: String = redis::from_redis_value(ask(&[b"TYPE", &key])).unwrap();
        match kind.as_str() {
            "string" => {
                let value: Vec<u8> = redis::from_redis_value(ask(&[b"GET", &key])).unwrap();
                all.push(vec![b"SET".to_vec(), key.clone(), value]);
            }
            "hash" => {
                let mut fields = bytes(ask(&[b"HGETALL", &key]));
                let mut pairs: Vec<_> =
                    fields.chunks_exact_mut(2).map(|pair| pair.to_vec()).collect();
                pairs.sort();
                all.push([vec![b"HSET".to_vec(), key.clone()], pairs.concat()].concat());
            }
            "stream" => {
                let entries: Vec<(Vec<u8>, Vec<Vec<u8>>)> =
                    redis::from_redis_value(ask(&[b"XRANGE", &key, b"-", b"+"])).unwrap();
                for (id, fields) in entries {
                    all.push([vec![b"XADD".to_vec(), key.clone(), id], fields].concat());
                }
            }
            other => panic!("a {other}"),
        }
        let left: i64 = redis::from_redis_value(ask(&[b"PTTL", &key])).unwrap();
        if left > 0 {
            all.push(vec![b"PEXPIRE".to_vec(), key, left.to_string().into_bytes()]);
        }
    }
    let word = |bytes: &Vec<u8>| match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => json!(text),
        _ => json!({ "hex": bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>() }),
    };
    let lines: Vec<Vec<Value>> = all.iter().map(|words| words.iter().map(word).collect()).collect();
    json!({ "commands": lines })
}

fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/upgrade/0.1.0");
    for name in ["file", "redis", "client"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    folder
}

fn write(path: &Path, value: &Value) {
    std::fs::write(path, serde_json::to_string_pretty(value).unwrap() + "\n").unwrap();
}

/// One line for each command.
fn write_commands(path: &Path, value: &Value) {
    let lines: Vec<_> =
        value["commands"].as_array().unwrap().iter().map(Value::to_string).collect();
    std::fs::write(path, format!("{{ \"commands\": [\n{}\n] }}\n", lines.join(",\n"))).unwrap();
}

/// The server of the client fixtures, without HTTP.
#[derive(Debug)]
struct Server(Auth);

#[async_trait]
impl Transport for Server {
    async fn send(&self, request: Request) -> Result<Response, Cause> {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let mut refresh = RefreshRequest::new(body["refreshToken"].as_str().unwrap());
        if let Some((_, proof)) = request.headers.iter().find(|(name, _)| name == "dpop") {
            refresh = refresh.proof(self.0.check_proof(proof, "POST", "/auth/refresh")?);
        }
        let renewed = self.0.refresh(refresh).await?;
        let body = json!({ "accessToken": renewed.access_token, "refreshToken": renewed.refresh_token, "expiresIn": 900 });
        Ok(Response { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() })
    }
}

async fn client(writer: &mut Writer, folder: &Path) {
    for name in ["login", "refreshed", "bound"] {
        writer.at(LATELY - 20 * MINUTE);
        let auth = writer.auth("main");
        let storage = Arc::new(FileStorage::new(folder.join(name)));
        let mut settings = Settings::default();
        settings.seed = 1;
        let mut builder = Session::builder(Endpoint::json(format!("{ORIGIN}/auth/refresh")))
            .transport(Arc::new(Server(auth.clone())))
            .storage(Arc::clone(&storage) as Arc<_>)
            .clock(Arc::clone(&writer.clock) as Arc<dyn Clock>)
            .settings(settings);
        let mut login = Login::new(subject(&format!("client-{name}")));
        if name == "bound" {
            let keys = FileStorage::new(folder.join("bound-key"));
            let key = SoftwareKey::kept_in(&keys).await.unwrap();
            let url = format!("{ORIGIN}/auth/refresh");
            let prover = Prover {
                method: "POST",
                url: &url,
                now: writer.clock.now(),
                nonce: None,
                access_token: None,
            };
            let proof = prover.prove(&key).unwrap();
            login = login.proof(auth.check_proof(&proof, "POST", "/auth/refresh").unwrap());
            builder = builder.proof_key(Arc::new(key) as Arc<dyn ProofKey>);
        }
        let session = builder.start().unwrap();
        let pair = auth.login(login).await.unwrap();
        writer.subjects.insert(format!("client-{name}"), Value::Null);
        let pair = match name {
            "login" => Pair::new(pair.access_token, pair.refresh_token),
            _ => Endpoint::read_login(&serde_json::to_vec(&pair).unwrap()).unwrap().user("7"),
        };
        session.sign_in(pair).await.unwrap();
        if name != "login" {
            writer.at(LATELY);
            session.access_token().await.unwrap();
        }
        drop(session);
        let stored = storage.read().await.unwrap().unwrap();
        let stored: Value = serde_json::from_slice(&stored).unwrap();
        assert_eq!(stored["version"], 1);
        for lock in [name.to_owned(), format!("{name}-key")] {
            let _ = std::fs::remove_file(folder.join(format!("{lock}.lock")));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn write_the_file_store() {
    let (folder, redis) = (folder(), RedisServer::start().unwrap());
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("sessions.db");
    let mut writer = Writer::new(&format!("file:{}", path.display()), &redis.url());
    writer.sessions().await;
    client(&mut writer, &folder.join("client")).await;
    let save = || {
        write_commands(&folder.join("file/legacy-redis.json"), &commands(&redis.url()));
        // One file, without a write-ahead log.
        let connection = rusqlite::Connection::open(&path).unwrap();
        let busy: i64 =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
        assert_eq!(busy, 0);
        std::fs::copy(&path, folder.join("file/sessions.db")).unwrap();
    };
    let description = "A file store, and the Redis of the legacy app beside it.";
    let expected = writer.finish(description, save).await;
    write(&folder.join("file/expected.json"), &expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn write_the_redis_store() {
    let (folder, redis) = (folder(), RedisServer::start().unwrap());
    let mut writer = Writer::new(&redis.url(), &redis.url());
    writer.sessions().await;
    let save = || write_commands(&folder.join("redis/data.json"), &commands(&redis.url()));
    let description = "A Redis store that is also the Redis of the legacy app.";
    let expected = writer.finish(description, save).await;
    write(&folder.join("redis/expected.json"), &expected);
}

/// Access tokens without a store.
#[tokio::test]
async fn write_tokens() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(NOW)));
    let mut groups = Vec::new();
    let key = |alg: &str, kid: &str, name: &str| json!({ "alg": alg, "kid": kid, "privateKey": format!("@{name}.private") });
    let bound = SoftwareKey::generate().unwrap();
    for (name, config) in [
        ("HS256", json!({ "secret": SECRET })),
        (
            "RS256",
            json!({ "keys": [key("RS256", "rsa-1", "rsa2048-a")], "refreshSecret": REFRESH_SECRET }),
        ),
        (
            "PS256",
            json!({ "keys": [key("PS256", "rsa-2", "rsa2048-b")], "refreshSecret": REFRESH_SECRET }),
        ),
        (
            "ES256",
            json!({ "keys": [key("ES256", "p256-1", "p256-a")], "refreshSecret": REFRESH_SECRET }),
        ),
        (
            "ES384",
            json!({ "keys": [key("ES384", "p384-1", "p384-a")], "refreshSecret": REFRESH_SECRET }),
        ),
        (
            "EdDSA",
            json!({ "keys": [key("EdDSA", "ed-1", "ed25519-a")], "refreshSecret": REFRESH_SECRET }),
        ),
        (
            "kid",
            json!({ "keys": [
            { "alg": "HS256", "kid": "new", "secret": "an access secret of at least 32 bytes, the new one" },
            key("ES256", "old", "p256-b"),
        ], "refreshSecret": REFRESH_SECRET }),
        ),
        ("subject claim", json!({ "secret": SECRET, "access": { "subjectClaim": "userId" } })),
        (
            "issuer and audience",
            json!({ "secret": SECRET, "access": { "issuer": "https://id.example", "audience": ["api", "admin"], "jti": true } }),
        ),
        ("dpop", json!({ "secret": SECRET, "dpop": { "origin": ORIGIN } })),
    ] {
        let mut real = config.clone();
        real["store"] = "memory:".into();
        let keys = real.get_mut("keys").and_then(Value::as_array_mut);
        for key in keys.into_iter().flatten() {
            if let Some(file) =
                key.get("privateKey").and_then(Value::as_str).and_then(|key| key.strip_prefix('@'))
            {
                let path = format!(
                    "{}/../tests/vectors/keys/test-only-{file}.pem",
                    env!("CARGO_MANIFEST_DIR")
                );
                key["privateKey"] = std::fs::read_to_string(path).unwrap().into();
            }
        }
        let builder = Auth::from_json(&real.to_string()).unwrap();
        let auth = builder.clock(Arc::clone(&clock) as Arc<dyn Clock>).build().unwrap();
        let mut tokens = Vec::new();
        let mut proofs = Vec::new();
        if name == "dpop" {
            let prove = |access: Option<&str>, path: &str, method: &str| {
                let url = format!("{ORIGIN}{path}");
                Prover { method, url: &url, now: clock.now(), nonce: None, access_token: access }
                    .prove(&bound)
                    .unwrap()
            };
            let first = prove(None, "/login", "POST");
            let login =
                Login::new(subject("7")).proof(auth.check_proof(&first, "POST", "/login").unwrap());
            let pair = auth.login(login).await.unwrap();
            let access = pair.access_token.expose();
            let second = prove(Some(access), "/me?a=b", "GET");
            let thumbprint = bound.thumbprint().unwrap();
            proofs.push(json!({ "proof": first, "method": "POST", "path": "/login", "thumbprint": thumbprint }));
            proofs.push(json!({ "proof": second, "method": "GET", "path": "/me?a=b", "thumbprint": thumbprint, "access": access }));
            let (head, sub, sid) = (decode(access, 0), pair.subject, pair.session);
            tokens.push(json!({ "name": "bound", "token": access, "subject": sub, "sessionId": sid, "header": head, "claims": decode(access, 1), "answer": "ERR_DPOP_PROOF_MISSING" }));
        } else {
            let claims = json!({ "role": "admin", "nested": { "list": [1, 2.5, null, true, "가"] }, "big": 9_007_199_254_740_991_i64 });
            let Value::Object(claims) = claims else { panic!() };
            for (what, claims) in [("plain", Map::new()), ("claims of the app", claims)] {
                let pair = auth.login(Login::new(subject("7")).claims(claims)).await.unwrap();
                let access = pair.access_token.expose();
                tokens.push(json!({ "name": what, "token": access, "subject": pair.subject, "sessionId": pair.session,
                    "header": decode(access, 0), "claims": decode(access, 1), "answer": "ok" }));
            }
        }
        groups.push(json!({ "name": name, "config": config, "tokens": tokens, "proofs": proofs }));
    }
    let legacy = |name: &str, header: &str, claims: Value, answer: &str| {
        let token = sign(header, &claims, LEGACY_SECRET);
        let sub = claims.get("userId").map(|id| id.as_str().map_or(id.to_string(), str::to_owned));
        json!({ "name": name, "token": token, "subject": sub, "sessionId": null, "header": decode(&token, 0), "claims": claims, "answer": answer })
    };
    let jwt = r#"{"alg":"HS256","typ":"JWT"}"#;
    groups.push(json!({
        "name": "legacy access tokens",
        "config": { "secret": LEGACY_SECRET, "access": { "subjectClaim": "userId", "legacy": true } },
        "tokens": [
            legacy("a number", jwt, json!({ "userId": 7, "iat": NOW - 10, "exp": NOW + HOUR }), "ok"),
            legacy("a text", jwt, json!({ "userId": "7", "nickname": "가", "iat": NOW - 10, "exp": NOW + HOUR }), "ok"),
            legacy("no typ", r#"{"alg":"HS256"}"#, json!({ "userId": 7, "iat": NOW - 10, "exp": NOW + HOUR }), "ok"),
            legacy("a refresh token", jwt, json!({ "userId": 7, "iat": NOW - 10, "exp": NOW + 14 * DAY }), "ERR_CLAIM_INVALID"),
        ],
        "proofs": [],
    }));
    write(
        &folder().join("tokens.json"),
        &json!({ "description": "Access tokens and proofs of every kind.", "now": NOW * 1000, "groups": groups }),
    );
}

fn decode(token: &str, part: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(part).unwrap()).unwrap())
        .unwrap()
}
