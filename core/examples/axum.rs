//! An axum app with login, refresh, logout and a protected route.
//!
//! `cargo run -p regrant --example axum --features axum`, then
//! `curl -c jar -H 'content-type: application/json' -d '{"name":"ada","password":"secret"}' localhost:3000/login`.

use std::net::SocketAddr;

use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, extract::State, http::StatusCode};
use regrant::auth::RefreshIdentity;
use regrant::config::AuthConfig;
use regrant::http::tower::{Access, AuthLayer, ClientRequest, auth_router};
use regrant::http::{Endpoints, Guard, Rejection, WebPolicy};
use regrant::types::Subject;
use regrant::{Auth, Login};
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Clone)]
struct App {
    auth: Auth,
    web: WebPolicy,
}

#[derive(Deserialize)]
struct Credentials {
    name: String,
    password: String,
}

/// The app checks the password, regrant starts the session.
async fn login(
    State(app): State<App>,
    client: ClientRequest,
    Json(credentials): Json<Credentials>,
) -> Result<Response, Rejection> {
    // A real app compares a password hash here.
    if credentials.password != "secret" {
        return Ok(StatusCode::UNAUTHORIZED.into_response());
    }
    let subject = Subject::new(&credentials.name)?;
    let claims = claims_of(&subject);
    let pair = app.auth.login(Login::new(subject).claims(claims)).await?;
    Ok(Endpoints::new(&app.auth, &app.web).login(&pair, &client.head())?.into_response())
}

/// The app's own claims, looked up at login and at each refresh.
fn claims_of(_user: &Subject) -> Map<String, Value> {
    Map::from_iter([("role".to_owned(), "user".into())])
}

async fn me(Access(access): Access) -> Json<Value> {
    Json(json!({ "user": access.subject().as_str(), "role": access.claim("role") }))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = json!({
        "secret": std::env::var("SECRET_KEY")?,
        "store": "memory:",
        // For plain HTTP on this machine. Leave this line out behind HTTPS.
        "web": { "secure": false },
    });
    let config = AuthConfig::from_json(&config.to_string())?;
    let web = config.web_policy()?;
    let auth = config.builder()?.build()?;

    let app = Router::new()
        .route("/me", get(me))
        .layer(AuthLayer::new(Guard::new(auth.clone(), web.clone())))
        .route("/login", post(login))
        .nest(
            "/auth",
            auth_router(auth.clone(), web.clone())
                .claims(async |session: RefreshIdentity| Ok(claims_of(&session.subject)))
                .build(),
        )
        .with_state(App { auth, web });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 3000)).await?;
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
