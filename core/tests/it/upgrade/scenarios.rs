//! The scenarios of the fixtures: what honest clients, thieves and operators see after the upgrade.

use std::time::Duration;

use regrant::dpop::{PresentedProof, SoftwareKey, UnsignedProof};
use regrant::types::{Clock as _, SecretBytes, SessionId};
use regrant::{Auth, Error, Login, LogoutEverywhere, RefreshRequest, RefreshResponse, Renewal};
use serde_json::{Value, json};

use super::stores::{StoreCopy, Written};
use crate::support::sessions::subject;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_session_in_a_file_continues_after_the_upgrade() {
    all_scenarios(&Written::file()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_session_in_redis_continues_after_the_upgrade() {
    all_scenarios(&Written::redis()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_session_in_a_file_continues_in_a_realm() {
    let written = Written::file().in_a_realm();
    all_scenarios(&written).await;
    all_sessions(&written).await;
    all_access_tokens(&written).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_session_in_redis_continues_in_a_realm() {
    let written = Written::redis().in_a_realm();
    all_scenarios(&written).await;
    all_sessions(&written).await;
    all_access_tokens(&written).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_in_a_file_are_listed_after_the_upgrade() {
    all_sessions(&Written::file()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_in_redis_are_listed_after_the_upgrade() {
    all_sessions(&Written::redis()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_tokens_of_a_file_are_accepted_or_denied_after_the_upgrade() {
    all_access_tokens(&Written::file()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_tokens_of_redis_are_accepted_or_denied_after_the_upgrade() {
    all_access_tokens(&Written::redis()).await;
}

/// Failures by an address were counted in the store by 0.1.0. Now each process counts them, and a
/// restart begins at zero.
fn counted_by_the_process() -> Value {
    let failure =
        json!({"refresh": "nonsense", "address": "192.0.2.7", "answer": "ERR_TOKEN_MALFORMED"});
    let mut steps = vec![failure; 5];
    steps.push(json!({
        "refresh": "nonsense", "address": "192.0.2.7",
        "answer": "ERR_TOO_MANY_ATTEMPTS", "retryAfter": 3_600_000
    }));
    steps.push(json!({"refresh": "failing/in", "address": "192.0.2.7", "answer": "issued"}));
    json!({"name": "failures of an address go on being counted", "config": "limited", "steps": steps})
}

async fn all_scenarios(written: &Written) {
    let scenarios = written.expected["scenarios"].as_array().unwrap();
    let changed = counted_by_the_process();
    assert!(scenarios.iter().any(|scenario| scenario["name"] == changed["name"]));
    for scenario in scenarios {
        // Each realm counts its own sessions and failures.
        if written.realm.is_some() && scenario["config"] == "limited" {
            continue;
        }
        let scenario = if scenario["name"] == changed["name"] { &changed } else { scenario };
        let copy = written.copy();
        let name = scenario["name"].as_str().unwrap();
        let auth = server(&copy, scenario["config"].as_str().unwrap()).await;
        let mut run = ScenarioRun { expected: &written.expected, copy, auth, name, last: None };
        for (number, step) in scenario["steps"].as_array().unwrap().iter().enumerate() {
            run.step(number, step).await;
        }
    }
    println!("{} scenarios", scenarios.len());
}

async fn all_sessions(written: &Written) {
    let copy = written.copy();
    let auth = copy.auth("main");
    let by_id = |sessions: &Value| {
        let mut sessions = sessions.as_array().unwrap().clone();
        sessions.sort_by_key(|session| session["sessionId"].to_string());
        sessions
    };
    let subjects = written.expected["sessions"].as_object().unwrap();
    for (user, expected) in subjects {
        let found = auth.sessions(&subject(user), None).await.unwrap();
        let found = serde_json::to_value(&found).unwrap();
        assert_eq!(by_id(&found), by_id(expected), "the sessions of {user}");
    }
    println!("{} users", subjects.len());
}

async fn all_access_tokens(written: &Written) {
    let mut access: Vec<_> = written.expected["access"].as_object().unwrap().iter().collect();
    // Tokens of a discarded child last: presenting one is theft and revokes the session.
    access.sort_by_key(|(name, _)| name.ends_with("/lost"));
    let copy = written.copy();
    for (config, _) in written.expected["configs"].as_object().unwrap() {
        let auth = server(&copy, config).await;
        for (name, answer) in &access {
            let token = &written.expected["tokens"][name];
            if token["config"] == *config {
                check_access(&auth, token, answer, name);
            }
        }
    }
    println!("{} access tokens", access.len());
}

/// A server that has read the revocation feed. Otherwise a denial might come from the store, which is
/// notified of the use of a token and replies that the session is revoked.
async fn server(copy: &StoreCopy, config: &str) -> Auth {
    let auth = copy.auth(config);
    let feed_is_read = async {
        while auth.is_stale() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), feed_is_read).await.expect("the feed is read");
    auth
}

/// Checks the answer to an access token.
fn check_access(auth: &Auth, token: &Value, answer: &Value, what: &str) {
    match auth.verify(token["access"].as_str().unwrap()) {
        Ok(verified) => {
            assert_eq!(answer, "ok", "{what}");
            assert_eq!(verified.subject().as_str(), token["subject"], "{what}");
            let session = verified.session().map_or(Value::Null, |id| id.to_string().into());
            assert_eq!(session, token["sessionId"], "{what}");
        }
        Err(error) => assert_eq!(answer, error.code().as_str(), "{what}"),
    }
}

/// A running scenario.
struct ScenarioRun<'a> {
    expected: &'a Value,
    copy: StoreCopy,
    auth: Auth,
    name: &'a str,
    /// The refresh token of the last answer.
    last: Option<String>,
}

impl ScenarioRun<'_> {
    async fn step(&mut self, number: usize, step: &Value) {
        let what = format!("step {number} of {:?}", self.name);
        let text = |name: &str| step[name].as_str();
        if let Some(name) = text("refresh") {
            self.refresh(name, step, &what).await;
        } else if let Some(name) = text("verify") {
            if step["proof"] == true {
                let token = &self.expected["tokens"][name];
                let access = token["access"].as_str().unwrap();
                let proof = self.proof(Some(access));
                let verified = self.auth.verify_with_proof(access, &proof).unwrap();
                assert_eq!(verified.session(), Some(session_of(token)), "{what}");
            } else {
                let token = &self.expected["tokens"][name];
                check_access(&self.auth, token, &step["answer"], &what);
            }
        } else if let Some(name) = text("logout") {
            let was_live = self.auth.logout(&self.token(name)).await.unwrap();
            assert_eq!(was_live, step["answer"], "{what}");
        } else if let Some(user) = text("everywhere") {
            let except = session_of(&self.expected["tokens"][text("except").unwrap()]);
            let request = LogoutEverywhere::new(subject(user)).except(except);
            let ended = self.auth.logout_everywhere(request).await.unwrap();
            assert_eq!(step["answer"], ended, "{what}");
        } else if let Some(user) = text("login") {
            self.auth.login(Login::new(subject(user))).await.unwrap();
        } else {
            let millis = step["advance"].as_u64().expect("a step that is known");
            self.copy.clock.advance(Duration::from_millis(millis));
        }
    }

    async fn refresh(&mut self, name: &str, step: &Value, what: &str) {
        let token = self.token(name);
        let mut request = RefreshRequest::new(&token);
        if let Some(user) = step["as"].as_str() {
            request = request.expect_subject(subject(user));
        }
        if let Some(address) = step["address"].as_str() {
            request = request.address(address);
        }
        if step["proof"] == true {
            request = request.proof(self.proof(None));
        }
        match self.auth.refresh(request).await {
            Ok(renewed) => {
                let answer = match renewed.renewal {
                    Renewal::Rotated => "issued",
                    Renewal::Replayed => "reissued",
                    Renewal::Renewed => "kept",
                };
                assert_eq!(step["answer"], answer, "{what}");
                self.granted(name, &renewed, step, what).await;
            }
            Err(error) => {
                assert_eq!(step["answer"], error.code().as_str(), "{what}");
                if let Error::SessionRevoked { reason } = error {
                    assert_eq!(step["reason"], reason.as_str(), "{what}");
                }
                if let Error::TooManyAttempts { retry_after } = error {
                    let millis = u64::try_from(retry_after.as_millis()).unwrap();
                    assert_eq!(step["retryAfter"], millis, "{what}");
                }
            }
        }
    }

    async fn granted(&mut self, name: &str, renewed: &RefreshResponse, step: &Value, what: &str) {
        let next = renewed.refresh_token.as_ref().map(|token| token.expose().to_owned());
        if let Some(same) = step["same"].as_str() {
            let signed = |token: String| match self.copy.realm {
                // The realm has a secret of its own: only the signature differs.
                Some(_) => token.rsplit_once('.').map(|(signed, _)| signed.to_owned()),
                None => Some(token),
            };
            // `assert!`, so that the message does not contain the tokens.
            let expected = signed(self.token(same));
            assert!(next.clone().and_then(signed) == expected, "another child in {what}");
        }
        let known = &self.expected["tokens"][name];
        if known["sessionId"].is_string() {
            assert_eq!(renewed.session, session_of(known), "{what}");
            assert_eq!(renewed.subject.as_str(), known["subject"], "{what}");
        }
        let access = renewed.access_token.expose();
        let verified = match step["proof"] == true {
            true => self.auth.verify_with_proof(access, &self.proof(Some(access))),
            false => self.auth.verify(access),
        };
        let verified = verified.unwrap();
        assert_eq!(verified.session(), Some(renewed.session), "{what}");
        // `verify` reports the use in the background, and the grace begins when the report arrives.
        self.auth.record_use(&verified).await.unwrap();
        self.last = next.or(self.last.take());
    }

    fn token(&self, name: &str) -> String {
        match name {
            "last" => self.last.clone().expect("an answer before"),
            "nonsense" => "a.b.c".to_owned(),
            name => self.expected["tokens"][name]["refresh"].as_str().expect("a token").to_owned(),
        }
    }

    /// A DPoP proof with the session's original key, for a refresh or for an access token.
    fn proof(&self, access: Option<&str>) -> PresentedProof {
        let dpop = &self.expected["dpop"];
        let text = |name: &str| dpop[name].as_str().unwrap();
        let key = SoftwareKey::from_pem(&SecretBytes::new(text("key"))).unwrap();
        let (method, path) = (text("method"), text("path"));
        let url = format!("{}{path}", text("origin"));
        let now = self.copy.clock.now();
        let prover = UnsignedProof { method, url: &url, now, nonce: None, access_token: access };
        PresentedProof::new(prover.sign(&key).unwrap(), method, path)
    }
}

fn session_of(token: &Value) -> SessionId {
    token["sessionId"].as_str().unwrap().parse().unwrap()
}
