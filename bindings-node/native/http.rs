//! The HTTP rules of the core: requests come as data, decisions and responses go back as JSON text.

use std::sync::Arc;
use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::{Either, PromiseRaw};
use napi_derive::napi;
use regrant::access::VerifiedAccess;
use regrant::http::{
    AccessCredentials, CookiePolicy, Endpoints, IssuedTokens, JwksCaching, PresentedRefresh,
    RefreshInput, Rejection, RequestBody, RequestHead, Requirement, SessionSelector, WebPolicy,
    choose_access_token,
};
use regrant::types::{Clock, Subject, Timestamp};
use regrant::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::auth::NativeAuth;
use crate::error::{ErrorDto, NativeResult, json, text};
use crate::requests::{Calls, ClientInput, parse_claims, parse_session};

/// How tokens travel: the policy of an auth object or of a verifier. Requests are passed as a
/// [`Head`].
#[napi]
pub struct NativeWeb {
    policy: Arc<WebPolicy>,
    clock: Arc<dyn Clock>,
}

impl NativeWeb {
    pub const fn new(policy: Arc<WebPolicy>, clock: Arc<dyn Clock>) -> Self {
        Self { policy, clock }
    }

    fn set_cookie(
        &self,
        cookie: Option<&CookiePolicy>,
        head: &str,
        token: &str,
        expires_in: Option<u32>,
    ) -> NativeResult {
        let Some(cookie) = cookie else { return Either::A(String::new()) };
        let now = self.clock.now();
        let expires_at = expires_in.map(|seconds| now.plus(Duration::from_secs(seconds.into())));
        text(Head::parse(head).and_then(|head| cookie.set(token, expires_at, now, &head.request())))
    }
}

#[napi]
impl NativeWeb {
    /// The header of access tokens, in lower case.
    #[napi(getter)]
    pub fn access_header(&self) -> String {
        self.policy.access_header.to_ascii_lowercase()
    }

    /// The names of the headers that a [`Head`] contains, in lower case; `:authority` is one.
    #[napi(getter)]
    pub fn request_headers(&self) -> Vec<String> {
        self.policy.request_headers()
    }

    /// The access token that a request presents, as JSON of [`PresentedAccess`]. Without one, an
    /// empty text if that is allowed (`optional`), else an error with the advice for guarded routes.
    /// `accepts_dpop`: whether the guard checks proofs.
    #[napi(catch_unwind)]
    pub fn present(&self, head: String, optional: bool, accepts_dpop: bool) -> NativeResult {
        respond(&head, |head| {
            let request = head.request();
            let credentials = self.policy.access_credentials(&request, accepts_dpop);
            let presented = credentials.and_then(|credentials| {
                Ok(match credentials {
                    AccessCredentials::Bearer(token) => {
                        PresentedAccess { scheme: "bearer", tokens: vec![token.into_owned()] }
                    }
                    AccessCredentials::Dpop(token) => {
                        PresentedAccess { scheme: "dpop", tokens: vec![token.to_owned()] }
                    }
                    AccessCredentials::Several(tokens) => {
                        PresentedAccess { scheme: "bearer", tokens }
                    }
                    AccessCredentials::ForeignCookie => return Err(Error::OriginNotAllowed),
                    _ => return Err(Error::TokenMissing),
                })
            });
            match presented {
                Ok(presented) => to_json(&presented),
                Err(Error::TokenMissing | Error::OriginNotAllowed) if optional => Ok(String::new()),
                Err(error) => Err(self.policy.rejection(error, &request)),
            }
        })
    }

    /// The error of a guarded route for a request without a token.
    #[napi(catch_unwind)]
    pub fn token_missing(&self) -> ErrorDto {
        self.policy.rejection(Error::TokenMissing, &RequestHead::new("", "")).into()
    }

    /// Whether cookies count in a request.
    #[napi(catch_unwind)]
    pub fn accepts_cookies(&self, head: String) -> bool {
        Head::parse(&head).is_ok_and(|head| self.policy.accepts_cookies(&head.request()))
    }

    /// The response to a CORS preflight; null for every other request.
    #[napi(catch_unwind)]
    pub fn preflight(&self, head: String) -> Option<String> {
        let head = Head::parse(&head).ok()?;
        serde_json::to_string(&self.policy.preflight(&head.request())?).ok()
    }

    /// `Set-Cookie` for an access token that expires in so many seconds, or when the browser closes;
    /// empty without such a cookie.
    #[napi(catch_unwind)]
    pub fn set_access_cookie(
        &self,
        head: String,
        token: String,
        #[napi(ts_arg_type = "number | undefined")] expires_in: Option<u32>,
    ) -> NativeResult {
        self.set_cookie(self.policy.access_cookie.as_ref(), &head, &token, expires_in)
    }

    /// As [`set_access_cookie`](Self::set_access_cookie), for a refresh token.
    #[napi(catch_unwind)]
    pub fn set_refresh_cookie(
        &self,
        head: String,
        token: String,
        #[napi(ts_arg_type = "number | undefined")] expires_in: Option<u32>,
    ) -> NativeResult {
        self.set_cookie(self.policy.refresh_cookie.as_ref(), &head, &token, expires_in)
    }

    /// The values of `Set-Cookie` that remove both cookies.
    #[napi(catch_unwind)]
    pub fn remove_cookies(&self, head: String) -> NativeResult {
        json(Head::parse(&head).map(|head| self.policy.remove_cookies(&head.request())))
    }

    /// Checks what an access token grants: all of `scopes`, the claims of `required`, JSON text of an
    /// object, and a login of at most so many seconds ago. Returns an empty text.
    #[napi(catch_unwind)]
    pub fn check_permission(
        &self,
        scopes: Vec<String>,
        required: String,
        #[napi(ts_arg_type = "number | undefined")] max_login_age: Option<u32>,
        claims: String,
    ) -> NativeResult {
        let check = || {
            let required: Map<String, Value> = serde_json::from_str(&required)
                .map_err(|_| Error::config("requireClaims", "expected JSON values"))?;
            let mut requirement = required
                .into_iter()
                .fold(Requirement::default().scopes(scopes), |all, (name, value)| {
                    all.claim(name, value)
                });
            if let Some(seconds) = max_login_age {
                requirement = requirement.fresh_login(Duration::from_secs(seconds.into()));
            }
            requirement.check(&claims, self.clock.now())
        };
        text(check().map(|()| String::new()))
    }
}

/// The guard and the endpoints. Responses are JSON of [`EndpointResponse`].
#[napi]
impl NativeAuth {
    /// How tokens travel.
    #[napi(getter)]
    pub fn web(&self) -> NativeWeb {
        NativeWeb::new(Arc::clone(&self.web), Arc::clone(&self.calls.clock))
    }

    /// Chooses among the access tokens of several cookies of one name. The error removes cookies
    /// that make the request ambiguous.
    #[napi(catch_unwind)]
    pub fn choose_access(&self, head: String, tokens: Vec<String>) -> NativeResult {
        let verify = |token: &str| self.calls.auth.verify(token);
        choose_access(&self.web, &head, tokens, verify)
    }

    /// The response to a login.
    #[napi(catch_unwind)]
    pub fn login_response(&self, head: String, pair: IssuedPair) -> NativeResult {
        respond(&head, |head| {
            let endpoints = Endpoints::new(&self.calls.auth, &self.web);
            to_json(&endpoints.login(pair.issued(self.calls.clock.now()), &head.request())?)
        })
    }

    /// The refresh token that a request presents, as JSON of [`PresentedRefreshDto`].
    #[napi]
    pub fn present_refresh<'env>(
        &self,
        env: &'env Env,
        head: String,
        body: PresentedBody,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.respond_later(env, |calls, web| async move {
            let head = Head::parse(&head)?;
            let endpoints = Endpoints::new(&calls.auth, &web);
            let presented = endpoints.presented(&head.request(), body.request_body()).await?;
            let PresentedRefresh { token, had_others } = presented;
            to_json(&PresentedRefreshDto { token, had_others })
        })
    }

    /// The response to a refresh, with the refresh token that
    /// [`present_refresh`](Self::present_refresh) returned.
    #[napi]
    pub fn refresh_response<'env>(
        &self,
        env: &'env Env,
        head: String,
        presented: String,
        input: RefreshResponseInput,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.respond_later(env, |calls, web| async move {
            let head = Head::parse(&head)?;
            let presented: PresentedRefreshDto = serde_json::from_str(&presented)
                .map_err(|_| Error::internal("a presented refresh token is no JSON"))?;
            let PresentedRefreshDto { token, had_others } = presented;
            let presented = PresentedRefresh { token, had_others };
            let (refresh, address) = input.refresh_input()?;
            let request = from_address(head.request(), address.as_deref());
            let endpoints = Endpoints::new(&calls.auth, &web);
            to_json(&endpoints.refresh(&presented, &request, refresh).await?)
        })
    }

    /// The response of the OAuth token endpoint to a form.
    #[napi]
    pub fn token_response<'env>(
        &self,
        env: &'env Env,
        head: String,
        form: String,
        input: RefreshResponseInput,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.respond_later(env, |calls, web| async move {
            let head = Head::parse(&head)?;
            let (refresh, address) = input.refresh_input()?;
            let request = from_address(head.request(), address.as_deref());
            let endpoints = Endpoints::new(&calls.auth, &web);
            to_json(&endpoints.token(&request, &form, refresh).await)
        })
    }

    /// The response of the OAuth revocation endpoint to a form.
    #[napi]
    pub fn revocation_response<'env>(
        &self,
        env: &'env Env,
        head: String,
        form: String,
        #[napi(ts_arg_type = "string | undefined")] address: Option<String>,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.respond_later(env, |calls, web| async move {
            let head = Head::parse(&head)?;
            let request = from_address(head.request(), address.as_deref());
            let endpoints = Endpoints::new(&calls.auth, &web);
            to_json(&endpoints.revoke(&request, &form).await)
        })
    }

    /// The response of the OAuth introspection endpoint to a form.
    #[napi]
    pub fn introspection_response<'env>(
        &self,
        env: &'env Env,
        form: String,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.respond_later(env, |calls, web| async move {
            to_json(&Endpoints::new(&calls.auth, &web).introspect(&form).await)
        })
    }

    /// The response to a logout.
    #[napi]
    pub fn logout_response<'env>(
        &self,
        env: &'env Env,
        head: String,
        body: PresentedBody,
        #[napi(ts_arg_type = "string | undefined")] address: Option<String>,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.respond_later(env, |calls, web| async move {
            let head = Head::parse(&head)?;
            let request = from_address(head.request(), address.as_deref());
            let endpoints = Endpoints::new(&calls.auth, &web);
            to_json(&endpoints.logout(&request, body.request_body()).await?)
        })
    }

    /// The response of the endpoint for sessions. `segment` is that of the path below it.
    #[napi]
    pub fn sessions_response<'env>(
        &self,
        env: &'env Env,
        subject: String,
        #[napi(ts_arg_type = "string | undefined")] current: Option<String>,
        method: String,
        #[napi(ts_arg_type = "string | undefined")] segment: Option<String>,
        client: ClientInput,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.respond_later(env, |calls, web| async move {
            let subject = Subject::new(subject)?;
            let current = current.map(|id| parse_session(&id, "sessionId")).transpose()?;
            let selector = SessionSelector::parse(segment.as_deref());
            let endpoints = Endpoints::new(&calls.auth, &web);
            let mut request = RequestHead::new(&method, "");
            if let Some(user_agent) = &client.user_agent {
                request = request.header("user-agent", user_agent);
            }
            let request = from_address(request, client.address.as_deref());
            to_json(&endpoints.sessions(&subject, current, &request, selector).await?)
        })
    }

    /// The response with the public keys, which others may cache for so many seconds.
    #[napi(catch_unwind)]
    pub fn jwks_response(
        &self,
        head: String,
        #[napi(ts_arg_type = "number | undefined")] max_age: Option<u32>,
    ) -> NativeResult {
        respond(&head, |head| {
            let caching =
                max_age.map_or_else(JwksCaching::default, |max_age| JwksCaching { max_age });
            let endpoints = Endpoints::new(&self.calls.auth, &self.web);
            to_json(&endpoints.jwks(&head.request(), caching))
        })
    }
}

impl NativeAuth {
    fn respond_later<'env, F>(
        &self,
        env: &'env Env,
        call: impl FnOnce(Calls, Arc<WebPolicy>) -> F,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>>
    where
        F: Future<Output = Result<String, Rejection>> + Send + 'static,
    {
        let response = call(self.calls.clone(), Arc::clone(&self.web));
        env.spawn_future(async move { Ok(native_result(response.await)) })
    }
}

/// The body of a request, as far as the endpoints look at it.
#[napi(object, object_to_js = false)]
pub struct PresentedBody {
    /// What the app has of it.
    #[napi(ts_type = "'unread' | 'raw' | 'parsed'")]
    pub state: String,
    /// The refresh token of a parsed one.
    #[napi(ts_type = "string | undefined")]
    pub refresh_token: Option<String>,
}

impl PresentedBody {
    fn request_body(&self) -> RequestBody<'_> {
        match self.state.as_str() {
            "unread" => RequestBody::Unread,
            "raw" => RequestBody::Raw,
            _ => RequestBody::Parsed(self.refresh_token.as_deref()),
        }
    }
}

/// A pair as `login` and `refresh` return it.
#[napi(object, object_to_js = false)]
pub struct IssuedPair {
    /// The access token.
    pub access_token: String,
    /// Seconds until the access token expires.
    pub access_expires_in: u32,
    /// The refresh token.
    pub refresh_token: String,
    /// Seconds until the refresh token expires.
    pub refresh_expires_in: u32,
    /// Whether browsers keep the cookies when they close.
    #[napi(ts_type = "boolean | undefined")]
    pub persistent: Option<bool>,
}

impl IssuedPair {
    fn issued(&self, now: Timestamp) -> IssuedTokens<'_> {
        let after = |seconds: u32| now.plus(Duration::from_secs(seconds.into()));
        IssuedTokens {
            access_token: &self.access_token,
            access_expires_at: after(self.access_expires_in),
            refresh_token: Some(&self.refresh_token),
            refresh_expires_at: after(self.refresh_expires_in),
            persistent: self.persistent.unwrap_or(true),
        }
    }
}

/// What an app adds to a refresh.
#[napi(object, object_to_js = false)]
pub struct RefreshResponseInput {
    /// The app's own claims, as JSON text of an object.
    #[napi(ts_type = "string | undefined")]
    pub claims: Option<String>,
    /// Whether to issue the next refresh token.
    #[napi(ts_type = "boolean | undefined")]
    pub rotate: Option<bool>,
    /// The address of the client.
    #[napi(ts_type = "string | undefined")]
    pub address: Option<String>,
}

impl RefreshResponseInput {
    /// What the core takes, and the address.
    fn refresh_input(self) -> Result<(RefreshInput, Option<String>)> {
        let mut refresh = RefreshInput::default();
        refresh.claims = parse_claims(self.claims)?;
        refresh.rotate = self.rotate;
        Ok((refresh, self.address))
    }
}

fn from_address<'a>(request: RequestHead<'a>, address: Option<&'a str>) -> RequestHead<'a> {
    match address {
        Some(address) => request.address(address),
        None => request,
    }
}

/// Chooses among several access tokens of a request by `verify`.
pub fn choose_access(
    web: &WebPolicy,
    head: &str,
    tokens: Vec<String>,
    verify: impl Fn(&str) -> Result<VerifiedAccess>,
) -> NativeResult {
    respond(head, |head| {
        choose_access_token(tokens, verify)
            .map(|(token, _)| token)
            .map_err(|error| web.rejection(error, &head.request()))
    })
}

#[derive(Serialize)]
struct PresentedAccess {
    scheme: &'static str,
    /// More than one for several cookies of one name.
    tokens: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PresentedRefreshDto {
    token: String,
    had_others: bool,
}

/// The head of a request, JSON text of `[method, target, scheme, name, value, name, value, …]`. The
/// scheme is `http`, `https`, or empty where the framework cannot tell.
struct Head(Vec<String>);

impl Head {
    fn parse(text: &str) -> Result<Self> {
        // JSON has no text for half of a surrogate pair, and no token contains one.
        serde_json::from_str(text).map(Self).map_err(|_| Error::TokenMalformed)
    }

    fn request(&self) -> RequestHead<'_> {
        let [method, target, scheme, headers @ ..] = self.0.as_slice() else {
            return RequestHead::new("", "");
        };
        let mut request = RequestHead::new(method, target);
        if !scheme.is_empty() {
            request = request.https(scheme == "https");
        }
        let (pairs, _) = headers.as_chunks::<2>();
        pairs.iter().fold(request, |request, [name, value]| request.header(name, value))
    }
}

/// Calls `call` with the head of a request.
fn respond(head: &str, call: impl FnOnce(Head) -> Result<String, Rejection>) -> NativeResult {
    native_result(Head::parse(head).map_err(Rejection::from).and_then(call))
}

fn native_result(result: Result<String, Rejection>) -> NativeResult {
    match result {
        Ok(text) => Either::A(text),
        Err(rejection) => Either::B(rejection.into()),
    }
}

fn to_json<T: Serialize>(value: &T) -> Result<String, Rejection> {
    let text = serde_json::to_string(value);
    text.map_err(|_| Error::internal("a response cannot be serialized").into())
}
