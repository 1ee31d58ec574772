//! A server with a refresh endpoint, as the Express handlers serve it, and one protected route.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use regrant::client::{Endpoint, Pair};
use regrant::identity::Subject;
use regrant::time::{Clock, ManualClock, SystemClock};
use regrant::{Auth, Error, Language, Login, RefreshRequest};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

/// Longer than access tokens live.
pub const LIFETIME: Duration = Duration::from_secs(900);

pub struct Server {
    pub auth: Auth,
    pub clock: Arc<ManualClock>,
    /// How many refresh requests came.
    pub refreshes: AtomicU32,
    /// How many answers to refreshes are to be lost.
    pub lose: AtomicU32,
    /// How many requests may be answered. Plenty, unless a test takes them away.
    pub gate: Semaphore,
    address: String,
}

impl Server {
    pub async fn start() -> Arc<Self> {
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let config = json!({
            "secret": "an access secret of at least 32 bytes",
            "store": "memory:",
            "access": { "ttl": "15m", "jti": true },
        });
        let auth = Auth::from_json(&config.to_string())
            .unwrap()
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .build()
            .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Arc::new(Self {
            auth,
            clock,
            refreshes: AtomicU32::new(0),
            lose: AtomicU32::new(0),
            gate: Semaphore::new(1_000_000),
            address: format!("http://{}", listener.local_addr().unwrap()),
        });
        let router = Router::new()
            .route("/auth/refresh", post(refresh))
            .route("/me", get(me))
            .with_state(Arc::clone(&server));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        server
    }

    pub fn endpoint(&self) -> Endpoint {
        Endpoint::json(format!("{}/auth/refresh", self.address))
    }

    pub fn me(&self) -> String {
        format!("{}/me", self.address)
    }

    pub async fn login(&self) -> Pair {
        let pair = self.auth.login(Login::new(alice())).await.unwrap();
        Endpoint::read_login(&serde_json::to_vec(&pair).unwrap()).unwrap()
    }

    pub fn refreshes(&self) -> u32 {
        self.refreshes.load(Ordering::SeqCst)
    }

    /// Whether no session of the user was ended.
    pub async fn all_live(&self) -> bool {
        let sessions = self.auth.sessions(&alice(), None).await.unwrap();
        !sessions.is_empty()
            && sessions
                .iter()
                .all(|one| serde_json::to_value(one).unwrap()["state"] == json!("live"))
    }
}

fn alice() -> Subject {
    Subject::new("alice").unwrap()
}

async fn refresh(
    State(server): State<Arc<Server>>,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    server.refreshes.fetch_add(1, Ordering::SeqCst);
    let token = body["refreshToken"].as_str().unwrap();
    let renewed = server.auth.refresh(RefreshRequest::new(token)).await;
    let take = |left: u32| left.checked_sub(1);
    if server.lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() {
        std::future::pending::<()>().await;
    }
    server.gate.acquire().await.unwrap().forget();
    match renewed {
        Ok(renewed) => {
            let answer = json!({
                "accessToken": renewed.access_token,
                "expiresIn": LIFETIME.as_secs(),
                "refreshToken": renewed.refresh_token,
            });
            (StatusCode::OK, Json(answer))
        }
        Err(error) => refused(&error),
    }
}

async fn me(State(server): State<Arc<Server>>, headers: HeaderMap) -> (StatusCode, Json<Value>) {
    let token = headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    match server.auth.verify(token) {
        Ok(access) => (StatusCode::OK, Json(json!(access.subject()))),
        Err(error) => refused(&error),
    }
}

fn refused(error: &Error) -> (StatusCode, Json<Value>) {
    let reason = match error {
        Error::SessionRevoked { reason } => Some(*reason),
        _ => None,
    };
    let body = json!({ "error": {
        "code": error.code().as_str(),
        "advice": error.advice(),
        "message": error.message(Language::En),
        "reason": reason,
    }});
    (StatusCode::from_u16(error.http_status()).unwrap(), Json(body))
}
