//! The rules of HTTP for axum: a tower layer, extractors, and the routes of a session.
//!
//! [`AuthLayer`] guards routes, [`Access`] is the verified token in a handler, and [`auth_router`]
//! has the endpoints for refresh, logout and the list of sessions. A login is the app's own handler;
//! `examples/axum.rs` is a whole app.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use regrant::http::tower::{Access, AuthLayer, auth_router};
//! use regrant::config::AuthConfig;
//! use regrant::http::Guard;
//!
//! async fn me(Access(access): Access) -> String {
//!     access.subject().to_string()
//! }
//!
//! # fn app(config: &str) -> regrant::Result<Router> {
//! let config = AuthConfig::from_json(config)?;
//! let web = config.web_policy()?;
//! let auth = config.builder()?.build()?;
//! let app: Router = Router::new()
//!     .route("/me", get(me))
//!     .layer(AuthLayer::new(Guard::new(auth.clone(), web.clone())))
//!     .nest("/auth", auth_router(auth, web).build());
//! # Ok(app)
//! # }
//! ```
//!
//! Pages of other origins also need the CORS headers of each response. The layer responds only to
//! their preflights; put the app's own CORS layer outside of it.
//!
//! Serve with `into_make_service_with_connect_info::<SocketAddr>()`, so that the limiter knows the
//! address of a client. Behind a proxy, a layer of the app inserts [`ClientInfo`] as an extension.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{
    ConnectInfo, FromRequestParts, OptionalFromRequestParts, OriginalUri, Path, Request,
};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Method, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::{Map, Value};
use tower_layer::Layer;
use tower_service::Service;

use super::endpoints::{Endpoints, RefreshInput, SessionSelector};
use super::guard::Guard;
use super::policy::WebPolicy;
use super::presented::RequestBody;
use super::request::RequestHead;
use super::response::{EndpointResponse, Rejection};
use crate::access::VerifiedAccess;
use crate::auth::{Auth, RefreshIdentity};
use crate::error::{Advice, Error, Language, Result};
use crate::session::ClientDetails;

/// The largest body of a refresh or logout, in bytes. It contains one token.
const MAX_BODY_BYTES: usize = 64 * 1024;

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What the app knows of a client better than the connection does, because a trusted proxy says so.
/// A layer of the app inserts it as an extension of the request.
#[derive(Clone, Debug, Default)]
pub struct ClientInfo {
    /// Whether the client used HTTPS. `None`: as the request's URI says.
    pub https: Option<bool>,
    /// The address of the client. `None`: that of the connection.
    pub address: Option<String>,
}

/// The head of a request and its client: an extractor, for a login handler.
///
/// The target is that of the client, also in a nested router. `Debug` omits the headers, which may
/// contain tokens.
#[derive(Clone)]
pub struct ClientRequest {
    method: Method,
    target: String,
    authority: Option<String>,
    headers: Vec<(String, String)>,
    client: ClientInfo,
}

impl ClientRequest {
    fn new(method: &Method, uri: &Uri, headers: &HeaderMap, extensions: &Extensions) -> Self {
        let uri = extensions.get::<OriginalUri>().map_or(uri, |original| &original.0);
        // Bytes that are no text become U+FFFD, which is malformed and not absent.
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        let headers = headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())))
            .collect();
        let mut client = extensions.get::<ClientInfo>().cloned().unwrap_or_default();
        client.address = client.address.or_else(|| {
            extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_string())
        });
        Self {
            method: method.clone(),
            target: uri.to_string(),
            authority: uri.authority().map(ToString::to_string),
            headers,
            client,
        }
    }

    /// The head, for [`Endpoints`] and [`Guard`].
    pub fn head(&self) -> RequestHead<'_> {
        let mut head = RequestHead::new(self.method.as_str(), &self.target);
        if let Some(authority) = &self.authority {
            head = head.header(":authority", authority);
        }
        for (name, value) in &self.headers {
            head = head.header(name, value);
        }
        if let Some(address) = self.address() {
            head = head.address(address);
        }
        match self.client.https {
            Some(https) => head.https(https),
            None => head,
        }
    }

    /// What the request tells of its client, for [`Login::client`](crate::Login::client).
    pub fn details(&self) -> ClientDetails {
        self.head().client()
    }

    /// The address of the client, if it is known.
    pub fn address(&self) -> Option<&str> {
        self.client.address.as_deref()
    }
}

impl std::fmt::Debug for ClientRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientRequest").field("method", &self.method).finish_non_exhaustive()
    }
}

impl<S: Sync> FromRequestParts<S> for ClientRequest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::new(&parts.method, &parts.uri, &parts.headers, &parts.extensions))
    }
}

/// Guards the routes inside: responds to CORS preflights and rejected requests, and inserts a
/// [`VerifiedAccess`] as an extension into others. Handlers take it as [`Access`].
#[derive(Clone, Debug)]
#[must_use]
pub struct AuthLayer {
    guard: Arc<Guard>,
    language: Language,
}

impl AuthLayer {
    /// A layer that lets pass what `guard` does.
    pub fn new(guard: Guard) -> Self {
        Self { guard: Arc::new(guard), language: Language::default() }
    }

    /// Sets the language of the messages.
    pub const fn language(mut self, language: Language) -> Self {
        self.language = language;
        self
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = AuthService<S>;

    fn layer(&self, inner: S) -> AuthService<S> {
        AuthService { inner, layer: self.clone() }
    }
}

/// The service of [`AuthLayer`].
#[derive(Clone, Debug)]
pub struct AuthService<S> {
    inner: S,
    layer: AuthLayer,
}

/// Marks a request that an [`AuthLayer`] let pass.
#[derive(Clone, Copy)]
struct Guarded {
    missing: Advice,
    language: Language,
}

impl<S> Service<Request> for AuthService<S>
where
    S: Service<Request> + Clone + Send + 'static,
    S::Response: IntoResponse,
    S::Future: Send,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<Result<Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        // The clone is not ready, the service that was polled is.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let AuthLayer { guard, language } = self.layer.clone();
        let client = ClientRequest::new(
            request.method(),
            request.uri(),
            request.headers(),
            request.extensions(),
        );
        Box::pin(async move {
            let head = client.head();
            if let Some(response) = guard.preflight(&head) {
                return Ok(response.into_response());
            }
            match guard.check(&head).await {
                Ok(access) => {
                    let missing = guard.web().advice(&Error::TokenMissing);
                    let extensions = request.extensions_mut();
                    extensions.insert(Guarded { missing, language });
                    if let Some(access) = access {
                        extensions.insert(access);
                    }
                    Ok(inner.call(request).await?.into_response())
                }
                Err(rejection) => Ok(rejection.response(language).into_response()),
            }
        })
    }
}

/// The verified access token of a guarded request: an extractor. `Option<Access>` is for routes
/// with [`Guard::optional`]; `Access` there responds 401 to a request without a token.
#[derive(Clone, Debug)]
pub struct Access(pub VerifiedAccess);

impl<S: Sync> FromRequestParts<S> for Access {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let access =
            <Self as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await?;
        access.ok_or_else(|| {
            let guarded = parts.extensions.get::<Guarded>();
            let language = guarded.map_or(Language::default(), |guarded| guarded.language);
            let mut rejection = Rejection::from(Error::TokenMissing);
            if let Some(guarded) = guarded {
                rejection.advice = guarded.missing;
            }
            rejection.response(language).into_response()
        })
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Access {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Response> {
        if parts.extensions.get::<Guarded>().is_none() {
            let error = Error::internal("a handler takes Access but its route has no AuthLayer");
            return Err(Rejection::from(error).into_response());
        }
        Ok(parts.extensions.get::<VerifiedAccess>().cloned().map(Self))
    }
}

impl IntoResponse for EndpointResponse {
    fn into_response(self) -> Response {
        let Self { status, headers, cookies, body } = self;
        let mut response = Response::builder().status(status);
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "Content-Type") {
            response = response.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            response = response.header(name, value);
        }
        for cookie in cookies {
            response = response.header(header::SET_COOKIE, cookie);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        response
            .body(body)
            .unwrap_or_else(|_| axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.response(Language::default()).into_response()
    }
}

type ClaimsHook =
    Arc<dyn Fn(RefreshIdentity) -> BoxFuture<Result<Map<String, Value>>> + Send + Sync>;

/// The routes of a session, see [`auth_router`].
#[derive(Clone)]
#[must_use]
pub struct AuthRouter {
    auth: Auth,
    web: WebPolicy,
    claims: Option<ClaimsHook>,
    language: Language,
}

/// The routes `POST /refresh`, `POST /logout`, `GET` and `DELETE /sessions`,
/// `DELETE /sessions/others` and `DELETE /sessions/{id}`, to nest below the path of the refresh
/// cookie, `/auth` by default.
pub fn auth_router(auth: Auth, web: WebPolicy) -> AuthRouter {
    AuthRouter { auth, web, claims: None, language: Language::default() }
}

impl AuthRouter {
    /// Sets the function that gives the app's own claims from a refresh on, in place of those that the
    /// session has so far. An error refuses the refresh and changes nothing: [`Error::Internal`] if the app is at fault.
    pub fn claims<F, Fut>(mut self, claims: F) -> Self
    where
        F: Fn(RefreshIdentity) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Map<String, Value>>> + Send + 'static,
    {
        self.claims = Some(Arc::new(move |identity| Box::pin(claims(identity))));
        self
    }

    /// Sets the language of the messages.
    pub const fn language(mut self, language: Language) -> Self {
        self.language = language;
        self
    }

    /// The routes.
    pub fn build<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        let guard = Guard::new(self.auth.clone(), self.web.clone());
        let layer = AuthLayer::new(guard).language(self.language);
        let this = Arc::new(self);
        let (refresh, logout) = (Arc::clone(&this), Arc::clone(&this));
        let (sessions, session) = (Arc::clone(&this), this);
        Router::new()
            .route("/sessions", any(move |client: ClientRequest, access: Access| async move {
                sessions.sessions(client, access, None).await
            }))
            .route(
                "/sessions/{id}",
                any(move |Path(id): Path<String>, client: ClientRequest, access: Access| async move {
                    session.sessions(client, access, Some(&id)).await
                }),
            )
            .layer(layer)
            .route("/refresh", any(move |client: ClientRequest, body: Body| async move {
                refresh.post(client, body, Operation::Refresh).await
            }))
            .route("/logout", any(move |client: ClientRequest, body: Body| async move {
                logout.post(client, body, Operation::Logout).await
            }))
    }

    const fn endpoints(&self) -> Endpoints<'_> {
        Endpoints::new(&self.auth, &self.web)
    }

    async fn post(&self, client: ClientRequest, body: Body, operation: Operation) -> Response {
        let head = client.head();
        if let Some(response) = self.web.preflight(&head) {
            return response.into_response();
        }
        if client.method != Method::POST {
            return EndpointResponse::method_not_allowed("POST").into_response();
        }
        let token = match &self.web.refresh_cookie {
            Some(_) => None,
            None => refresh_token_of(body).await,
        };
        let body = RequestBody::Parsed(token.as_deref());
        let outcome = match operation {
            Operation::Refresh => self.refresh(&head, body).await,
            Operation::Logout => self.endpoints().logout(&head, body).await,
        };
        self.respond(outcome)
    }

    async fn refresh(
        &self,
        head: &RequestHead<'_>,
        body: RequestBody<'_>,
    ) -> Result<EndpointResponse, Rejection> {
        let presented = self.endpoints().presented(head, body).await?;
        let mut input = RefreshInput::default();
        let Some(claims) = &self.claims else {
            return self.endpoints().refresh(&presented, head, input).await;
        };
        match self.auth.refresh_identity(&presented.token).await {
            Ok(identity) => {
                input.claims = Some(claims(identity).await?);
                self.endpoints().refresh(&presented, head, input).await
            }
            Err(error) if error.advice() == Advice::Retry => Err(error.into()),
            // The refresh refuses the token too. It counts the failure and removes the cookies.
            Err(error) => match self.endpoints().refresh(&presented, head, input).await {
                Ok(_) => Err(error.into()),
                Err(rejection) => Err(rejection),
            },
        }
    }

    async fn sessions(
        &self,
        client: ClientRequest,
        Access(access): Access,
        segment: Option<&str>,
    ) -> Response {
        let selector = SessionSelector::parse(segment);
        let (subject, current) = (access.subject(), access.session());
        let head = client.head();
        self.respond(self.endpoints().sessions(subject, current, &head, selector).await)
    }

    fn respond(&self, outcome: Result<EndpointResponse, Rejection>) -> Response {
        match outcome {
            Ok(response) => response.into_response(),
            Err(rejection) => rejection.response(self.language).into_response(),
        }
    }
}

impl std::fmt::Debug for AuthRouter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthRouter").field("web", &self.web).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy)]
enum Operation {
    Refresh,
    Logout,
}

/// `refreshToken` of a JSON body.
async fn refresh_token_of(body: Body) -> Option<String> {
    let bytes = to_bytes(body, MAX_BODY_BYTES).await.ok()?;
    let body: Value = serde_json::from_slice(&bytes).ok()?;
    Some(body.get("refreshToken")?.as_str()?.to_owned())
}
