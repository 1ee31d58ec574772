//! The users, sessions and tokens that the vectors name.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use regrant::dpop::{PresentedProof, SoftwareKey, UnsignedProof};
use regrant::session::{
    AccessTokenUse, NewSession, PresentedToken, RefreshPolicy, TheftScope, UseOutcome,
};
use regrant::store::{
    Created, MemoryStore, Refreshed, RevokedSession, RevokedSessions, SessionFilter, SessionStore,
    StoredSession,
};
use regrant::types::{Clock, ManualClock, RevocationReason, SessionId, Subject, Timestamp};
use regrant::{Auth, Error, Login, RefreshRequest, Result, SessionStatus, TokenPair};
use serde_json::{Value, json};

use crate::auth::delegate;

const LIVE: &[&str] = &["alice", "alice2", "bob", "brief", "carol", "dpop", "reader"];

/// A response, as any surface gives it.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub cookies: Vec<String>,
    pub body: Value,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

#[derive(Debug)]
struct Cuttable {
    inner: MemoryStore,
    cut_off: Arc<AtomicBool>,
}

delegate!(Cuttable, |this, call| {
    match this.cut_off.load(Ordering::SeqCst) {
        true => Err(Error::store("cut off")),
        false => call(&this.inner).await,
    }
});

pub struct World {
    pub auth: Auth,
    cut_off: Arc<AtomicBool>,
    sessions: BTreeMap<&'static str, (Subject, SessionId)>,
    values: Vec<(String, String)>,
}

impl World {
    /// `dpop`: whether proofs are checked. Without it there is no session `dpop`. `rotation`: whether the
    /// configuration has it on.
    pub async fn new(dpop: bool, rotation: bool) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_800_000_000_000)));
        let cut_off = Arc::new(AtomicBool::new(false));
        let mut config = json!({
            "secret": "an access secret of at least 32 bytes",
            "store": "memory:",
            "refresh": { "rotation": rotation },
        });
        if dpop {
            config["dpop"] = json!({ "origin": "https://app.shop.example" });
        }
        let store = Cuttable {
            inner: MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>),
            cut_off: Arc::clone(&cut_off),
        };
        let auth = Auth::from_json(&config.to_string())
            .unwrap()
            .store(store)
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .build()
            .unwrap();
        let mut world = Self { auth, cut_off, sessions: BTreeMap::new(), values: Vec::new() };

        world.login("expired", "alice").await;
        clock.advance(Duration::from_secs(15 * 24 * 3600));
        let first = world.login("alice", "alice").await;
        let mut token = first.refresh_token.expose().to_owned();
        world.set("alice.refresh.old", &token);
        for pause in [60, 3540] {
            let next = world.auth.refresh(RefreshRequest::new(&token).rotate(true)).await.unwrap();
            token = next.refresh_token.unwrap().expose().to_owned();
            clock.advance(Duration::from_secs(pause));
        }
        // One more, so that the access token is fresh.
        let next = world.auth.refresh(RefreshRequest::new(&token)).await.unwrap();
        world.set("alice.refresh", next.refresh_token.unwrap().expose());
        world.set("alice.access", next.access_token.expose());
        clock.advance(Duration::from_secs(1));
        world.login("alice2", "alice").await;
        world.login("bob", "bob").await;
        world.login("carol", "carol").await;
        let claims = serde_json::from_value(json!({ "scope": "read write" })).unwrap();
        let reader = Login::new(Subject::new("alice").unwrap()).claims(claims);
        world.login_with("reader", reader).await;
        let brief = Login::new(Subject::new("dave").unwrap()).persistent(false);
        world.login_with("brief", brief).await;
        let revoked = world.login("revoked", "alice").await;
        world.auth.logout(revoked.refresh_token.expose()).await.unwrap();

        if dpop {
            let key = SoftwareKey::generate().unwrap();
            let url = "https://app.shop.example/auth/refresh";
            let now = clock.now();
            let proof = UnsignedProof { method: "POST", url, now, nonce: None, access_token: None };
            let proof = proof.sign(&key).unwrap();
            let proof = PresentedProof::new(proof, "POST", "/auth/refresh");
            let bound = Login::new(Subject::new("alice").unwrap()).proof(proof);
            world.login_with("dpop", bound).await;
        }

        let other = json!({ "secret": "another secret of at least 32 bytes", "store": "memory:" });
        let other = Auth::from_json(&other.to_string()).unwrap();
        let other = other.clock(Arc::clone(&clock) as Arc<dyn Clock>).build().unwrap();
        let forged = other.login(Login::new(Subject::new("alice").unwrap())).await.unwrap();
        world.set("forged", forged.access_token.expose());
        world
    }

    async fn login(&mut self, name: &'static str, user: &str) -> TokenPair {
        self.login_with(name, Login::new(Subject::new(user).unwrap())).await
    }

    async fn login_with(&mut self, name: &'static str, login: Login) -> TokenPair {
        let pair = self.auth.login(login).await.unwrap();
        self.set(&format!("{name}.access"), pair.access_token.expose());
        self.set(&format!("{name}.refresh"), pair.refresh_token.expose());
        self.set(&format!("{name}.session"), &pair.session.to_string());
        self.sessions.insert(name, (pair.subject.clone(), pair.session));
        pair
    }

    fn set(&mut self, name: &str, value: &str) {
        self.values.retain(|(known, _)| known != name);
        self.values.push((name.to_owned(), value.to_owned()));
    }

    /// Replaces `${…}` in all texts of a case.
    pub fn fill(&self, case: &Value) -> Value {
        let mut text = case.to_string();
        for (name, value) in &self.values {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        assert!(!text.contains("${"), "unknown placeholder: {}", case["name"]);
        serde_json::from_str(&text).unwrap()
    }

    pub fn cut_off(&self, cut_off: bool) {
        self.cut_off.store(cut_off, Ordering::SeqCst);
    }

    /// Which of the live sessions are over now.
    pub async fn sessions_over(&self) -> Vec<&'static str> {
        let mut over = Vec::new();
        for name in LIVE {
            let Some((subject, id)) = self.sessions.get(name) else { continue };
            let sessions = self.auth.sessions(subject, None).await.unwrap();
            let is_live =
                sessions.iter().any(|info| info.id == *id && info.status == SessionStatus::Live);
            if !is_live {
                over.push(*name);
            }
        }
        over
    }
}
