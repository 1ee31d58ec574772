//! A server with a refresh endpoint, as the Express handlers serve it, and one protected route.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use regrant::client::{RefreshEndpoint, TokenPair};
use regrant::dpop::PresentedProof;
use regrant::types::{Clock, ManualClock, SystemClock};
use regrant::{Auth, Error, Language, Login, Logout, RefreshRequest};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::sessions::{SECRET, alice};

/// Longer than the lifetime of an access token.
pub const LIFETIME: Duration = Duration::from_secs(900);

pub struct Server {
    pub auth: Auth,
    pub clock: Arc<ManualClock>,
    /// The number of refresh requests.
    pub refreshes: AtomicU32,
    /// The number of requests with a proof.
    pub proofs: AtomicU32,
    /// The number of rejected proofs.
    pub proofs_refused: AtomicU32,
    /// Whether logouts fail.
    pub logouts_fail: AtomicBool,
    /// The number of responses to refreshes still to be lost.
    pub lose: AtomicU32,
    /// Permits for responses. Plenty, unless a test takes them.
    pub gate: Semaphore,
    address: String,
}

impl Server {
    pub async fn start() -> Arc<Self> {
        Self::start_with(json!({})).await
    }

    /// Starts a server with these `dpop` options; `origin` is added.
    pub async fn start_with(mut dpop: Value) -> Arc<Self> {
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        dpop["origin"] = json!(address);
        let config = json!({
            "secret": SECRET,
            "store": "memory:",
            "access": { "ttl": "15m", "jti": true },
            "dpop": dpop,
        });
        let auth = Auth::from_json(&config.to_string())
            .unwrap()
            .clock(Arc::clone(&clock) as Arc<dyn Clock>)
            .build()
            .unwrap();
        let server = Arc::new(Self {
            auth,
            clock,
            refreshes: AtomicU32::new(0),
            logouts_fail: AtomicBool::new(false),
            lose: AtomicU32::new(0),
            gate: Semaphore::new(1_000_000),
            proofs: AtomicU32::new(0),
            proofs_refused: AtomicU32::new(0),
            address,
        });
        let router = Router::new()
            .route("/auth/refresh", post(refresh))
            .route("/auth/logout", post(logout))
            .route("/login", post(login))
            .route("/me", get(me))
            .with_state(Arc::clone(&server));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        server
    }

    pub fn endpoint(&self) -> RefreshEndpoint {
        RefreshEndpoint::json(format!("{}/auth/refresh", self.address))
    }

    pub fn me(&self) -> String {
        format!("{}/me", self.address)
    }

    /// The login route: the session is bound to the key of the proof, if there is one.
    pub fn login_url(&self) -> String {
        format!("{}/login", self.address)
    }

    pub async fn login(&self) -> TokenPair {
        let pair = self.auth.login(Login::new(alice())).await.unwrap();
        RefreshEndpoint::read_login(&serde_json::to_vec(&pair).unwrap()).unwrap()
    }

    pub fn refreshes(&self) -> u32 {
        self.refreshes.load(Ordering::SeqCst)
    }

    /// The number of live sessions of the user.
    pub async fn live(&self) -> usize {
        let sessions = self.auth.sessions(&alice(), None).await.unwrap();
        let live = |one: &&_| serde_json::to_value(one).unwrap()["state"] == json!("live");
        sessions.iter().filter(live).count()
    }

    /// Whether all sessions of the user are live.
    pub async fn all_live(&self) -> bool {
        let sessions = self.auth.sessions(&alice(), None).await.unwrap();
        !sessions.is_empty()
            && sessions
                .iter()
                .all(|one| serde_json::to_value(one).unwrap()["state"] == json!("live"))
    }
}

type HttpAnswer = (StatusCode, HeaderMap, Json<Value>);

async fn login(State(server): State<Arc<Server>>, headers: HeaderMap) -> HttpAnswer {
    let begun = async {
        let login = Login::new(alice());
        let login = match server.proof_of(&headers, "POST", "/login") {
            Some(proof) => login.proof(proof),
            None => login,
        };
        server.auth.login(login).await
    };
    match begun.await {
        Ok(pair) => server.granted(serde_json::to_value(&pair).unwrap()),
        Err(error) => server.refused(&error),
    }
}

async fn refresh(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> HttpAnswer {
    server.refreshes.fetch_add(1, Ordering::SeqCst);
    let renewed = async {
        let request = RefreshRequest::new(body["refreshToken"].as_str().unwrap());
        let request = match server.proof_of(&headers, "POST", "/auth/refresh") {
            Some(proof) => request.proof(proof),
            None => request,
        };
        server.auth.refresh(request).await
    };
    let renewed = renewed.await;
    let take = |left: u32| left.checked_sub(1);
    if server.lose.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() {
        std::future::pending::<()>().await;
    }
    server.gate.acquire().await.unwrap().forget();
    match renewed {
        Ok(renewed) => server.granted(json!({
            "accessToken": renewed.access_token,
            "expiresIn": LIFETIME.as_secs(),
            "refreshToken": renewed.refresh_token,
        })),
        Err(error) => server.refused(&error),
    }
}

async fn logout(
    State(server): State<Arc<Server>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> HttpAnswer {
    if server.logouts_fail.load(Ordering::SeqCst) {
        return (StatusCode::SERVICE_UNAVAILABLE, HeaderMap::new(), Json(Value::Null));
    }
    let token = body["refreshToken"].as_str().unwrap();
    let revoked = match server.proof_of(&headers, "POST", "/auth/logout") {
        Some(proof) => server.auth.logout(Logout::new(token).proof(proof)).await,
        None => server.auth.logout(token).await,
    };
    match revoked {
        Ok(_) => server.granted(Value::Null),
        Err(error) => server.refused(&error),
    }
}

async fn me(State(server): State<Arc<Server>>, headers: HeaderMap) -> HttpAnswer {
    let (scheme, token) = headers["authorization"].to_str().unwrap().split_once(' ').unwrap();
    let verified = match server.proof_of(&headers, "GET", "/me") {
        Some(proof) if scheme == "DPoP" => server.auth.verify_with_proof(token, &proof),
        _ => server.auth.verify(token),
    };
    match verified {
        Ok(access) => server.granted(json!(access.subject())),
        Err(error) => server.refused(&error),
    }
}

impl Server {
    fn proof_of(&self, headers: &HeaderMap, method: &str, path: &str) -> Option<PresentedProof> {
        let proof = headers.get("dpop").map(|proof| proof.to_str().unwrap());
        self.proofs.fetch_add(u32::from(proof.is_some()), Ordering::SeqCst);
        proof.map(|proof| PresentedProof::new(proof, method, path))
    }

    fn granted(&self, body: Value) -> HttpAnswer {
        (StatusCode::OK, self.headers(), Json(body))
    }

    /// Every response has a `Date` by the server's clock, and the nonce if there is one.
    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let now = Duration::from_millis(self.clock.now().as_millis().try_into().unwrap());
        let date = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + now);
        headers.insert("date", date.parse().unwrap());
        if let Some(nonce) = self.auth.proof_nonce() {
            headers.insert("dpop-nonce", nonce.parse().unwrap());
        }
        headers
    }

    fn refused(&self, error: &Error) -> HttpAnswer {
        let code = error.code();
        if code.as_str().starts_with("ERR_DPOP") {
            self.proofs_refused.fetch_add(1, Ordering::SeqCst);
        }
        let mut headers = self.headers();
        if let Some(challenge) = code.www_authenticate() {
            headers.insert("www-authenticate", challenge.parse().unwrap());
        }
        let reason = match error {
            Error::SessionRevoked { reason } => Some(*reason),
            _ => None,
        };
        let body = json!({ "error": {
            "code": code.as_str(),
            "advice": error.advice(),
            "message": error.message(Language::En),
            "reason": reason,
        }});
        (StatusCode::from_u16(error.http_status()).unwrap(), headers, Json(body))
    }
}
