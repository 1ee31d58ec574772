//! The HTTP rules of the core as a class: requests come as data, decisions and responses go back as
//! JSON text.

use std::sync::Arc;
use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::{Either, PromiseRaw};
use napi_derive::napi;
use regrant::http::{
    AccessCredentials, CookiePolicy, Endpoints, Origin, Permission, PresentedRefresh, RefreshInput,
    Rejection, RequestHead, SameSite, SecureCookie, WebPolicy,
};
use regrant::types::{Clock, Subject, SystemClock};
use regrant::{Auth, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::auth::NativeAuth;
use crate::error::{ErrorDto, NativeResult, json, text};
use crate::requests::parse_claims;

/// How tokens travel. Requests are passed as a [`Head`].
#[napi]
pub struct NativeWeb {
    policy: Arc<WebPolicy>,
}

#[napi]
impl NativeWeb {
    /// Checks the options, JSON text.
    #[napi(catch_unwind)]
    pub fn create(options: String) -> Either<NativeWeb, ErrorDto> {
        match parse_policy(&options) {
            Ok(policy) => Either::A(Self { policy: Arc::new(policy) }),
            Err(error) => Either::B(error.into()),
        }
    }

    /// The access token that a request presents, as JSON of [`PresentedAccess`]. Without one, an
    /// empty text if that is allowed (`optional`), else an error with the advice for guarded routes.
    #[napi(catch_unwind)]
    pub fn present(&self, head: String, optional: bool) -> NativeResult {
        let result = Head::parse(&head).and_then(|head| {
            let presented = match self.policy.access_credentials(&head.request())? {
                AccessCredentials::Bearer(token) => {
                    PresentedAccess { scheme: "bearer", tokens: vec![token.into_owned()] }
                }
                AccessCredentials::Dpop(token) => {
                    PresentedAccess { scheme: "dpop", tokens: vec![token.to_owned()] }
                }
                AccessCredentials::Several(tokens) => PresentedAccess { scheme: "bearer", tokens },
                _ if optional => return Ok(None),
                _ => return Err(Error::TokenMissing),
            };
            Ok(Some(presented))
        });
        match result {
            Ok(None) => Either::A(String::new()),
            Ok(Some(presented)) => json(Ok(presented)),
            Err(error) => {
                let advice = self.policy.advice(&error);
                Either::B(ErrorDto {
                    advice: Some(advice.as_str().to_owned()),
                    ..ErrorDto::from(error)
                })
            }
        }
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

    /// `Set-Cookie` for an access token that expires in so many seconds; empty without such a cookie.
    #[napi(catch_unwind)]
    pub fn set_access_cookie(&self, head: String, token: String, expires_in: u32) -> NativeResult {
        set_cookie(self.policy.access_cookie.as_ref(), &head, &token, expires_in)
    }

    /// `Set-Cookie` for a refresh token that expires in so many seconds; empty without such a cookie.
    #[napi(catch_unwind)]
    pub fn set_refresh_cookie(&self, head: String, token: String, expires_in: u32) -> NativeResult {
        set_cookie(self.policy.refresh_cookie.as_ref(), &head, &token, expires_in)
    }

    /// The values of `Set-Cookie` that remove both cookies.
    #[napi(catch_unwind)]
    pub fn remove_cookies(&self, head: String) -> NativeResult {
        json(Head::parse(&head).map(|head| {
            let cookies = [&self.policy.refresh_cookie, &self.policy.access_cookie];
            let remove = |cookie: &CookiePolicy| cookie.remove(&head.request());
            cookies.into_iter().flatten().map(remove).collect::<Vec<_>>()
        }))
    }

    /// The refresh token that a request presents, as JSON of [`PresentedRefreshDto`].
    #[napi]
    pub fn present_refresh<'env>(
        &self,
        env: &'env Env,
        auth: &NativeAuth,
        head: String,
        body_token: Option<String>,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.promise(env, auth, head, move |auth, policy, head| async move {
            let endpoints = Endpoints::new(&auth, &policy);
            let presented = endpoints.presented(&head.request(), body_token.as_deref()).await?;
            let PresentedRefresh { token, had_others } = presented;
            to_json(&PresentedRefreshDto { token, had_others })
        })
    }

    /// Exchanges the refresh token that [`present_refresh`](Self::present_refresh) returned. Returns
    /// the response as JSON.
    #[napi]
    #[allow(clippy::too_many_arguments, reason = "one argument for each value of JavaScript")]
    pub fn refresh<'env>(
        &self,
        env: &'env Env,
        auth: &NativeAuth,
        head: String,
        presented: String,
        #[napi(ts_arg_type = "string | undefined")] claims: Option<String>,
        #[napi(ts_arg_type = "boolean | undefined")] rotate: Option<bool>,
        #[napi(ts_arg_type = "string | undefined")] subject: Option<String>,
        #[napi(ts_arg_type = "string | undefined")] address: Option<String>,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.promise(env, auth, head, move |auth, policy, head| async move {
            let presented: PresentedRefreshDto = serde_json::from_str(&presented)
                .map_err(|_| Error::internal("a presented refresh token is no JSON"))?;
            let PresentedRefreshDto { token, had_others } = presented;
            let presented = PresentedRefresh { token, had_others };
            let mut input = RefreshInput::default();
            input.claims = parse_claims(claims)?;
            input.rotate = rotate;
            input.subject = subject.map(Subject::new).transpose()?;
            input.address = address;
            let endpoints = Endpoints::new(&auth, &policy);
            to_json(&endpoints.refresh(&presented, &head.request(), input).await?)
        })
    }

    /// Revokes the session of a request's refresh token. Returns the response as JSON.
    #[napi]
    pub fn logout<'env>(
        &self,
        env: &'env Env,
        auth: &NativeAuth,
        head: String,
        body_token: Option<String>,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>> {
        self.promise(env, auth, head, move |auth, policy, head| async move {
            let endpoints = Endpoints::new(&auth, &policy);
            to_json(&endpoints.logout(&head.request(), body_token.as_deref()).await?)
        })
    }
}

impl NativeWeb {
    fn promise<'env, F>(
        &self,
        env: &'env Env,
        auth: &NativeAuth,
        head: String,
        call: impl FnOnce(Auth, Arc<WebPolicy>, Head) -> F + Send + 'static,
    ) -> napi::Result<PromiseRaw<'env, NativeResult>>
    where
        F: Future<Output = Result<String, Rejection>> + Send + 'static,
    {
        let (auth, policy) = (auth.core().clone(), Arc::clone(&self.policy));
        env.spawn_future(async move {
            let result = match Head::parse(&head) {
                Ok(head) => call(auth, policy, head).await,
                Err(error) => Err(error.into()),
            };
            Ok(match result {
                Ok(text) => Either::A(text),
                Err(rejection) => Either::B(rejection.into()),
            })
        })
    }
}

/// Checks what an access token grants: all of `scopes`, and the claims of `required`, JSON text of
/// an object. Returns an empty text.
#[napi(catch_unwind)]
pub fn check_permission(scopes: Vec<String>, required: String, claims: String) -> NativeResult {
    let check = || {
        let required: Map<String, Value> = serde_json::from_str(&required)
            .map_err(|_| Error::config("requireClaims", "expected JSON values"))?;
        let permission = required
            .into_iter()
            .fold(Permission::default().scopes(scopes), |all, (name, value)| {
                all.claim(name, value)
            });
        permission.check(&claims)
    };
    text(check().map(|()| String::new()))
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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WebOptions {
    access_header: Option<String>,
    access_cookie: Option<CookieOptions>,
    refresh_cookie: Option<CookieOptions>,
    #[serde(default)]
    allowed_origins: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CookieOptions {
    name: String,
    path: Option<String>,
    domain: Option<String>,
    secure: Option<SecureOption>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SecureOption {
    Always(bool),
    Auto(AutoSecure),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum AutoSecure {
    Auto,
}

impl CookieOptions {
    fn policy(self, same_site: SameSite) -> CookiePolicy {
        let mut policy = match same_site {
            SameSite::Strict => CookiePolicy::refresh(self.name),
            SameSite::Lax => CookiePolicy::access(self.name),
        };
        policy.domain = self.domain;
        if let Some(path) = self.path {
            policy.path = path;
        }
        policy.secure = match self.secure {
            None | Some(SecureOption::Always(true)) => SecureCookie::Always,
            Some(SecureOption::Always(false)) => SecureCookie::Never,
            Some(SecureOption::Auto(AutoSecure::Auto)) => SecureCookie::Auto,
        };
        policy
    }
}

fn parse_policy(options: &str) -> Result<WebPolicy> {
    let options: WebOptions = serde_json::from_str(options)
        .map_err(|_| Error::internal("the options of cookies and origins have another form"))?;
    let mut policy = WebPolicy::default();
    if let Some(name) = options.access_header {
        policy.access_header = name;
    }
    policy.access_cookie = options.access_cookie.map(|cookie| cookie.policy(SameSite::Lax));
    policy.refresh_cookie = options.refresh_cookie.map(|cookie| cookie.policy(SameSite::Strict));
    policy.allowed_origins =
        options.allowed_origins.iter().map(|text| Origin::new(text)).collect::<Result<_>>()?;
    policy.checked()
}

fn set_cookie(
    policy: Option<&CookiePolicy>,
    head: &str,
    token: &str,
    expires_in: u32,
) -> NativeResult {
    let Some(policy) = policy else { return Either::A(String::new()) };
    let now = SystemClock.now();
    let expires_at = now.plus(Duration::from_secs(expires_in.into()));
    text(Head::parse(head).and_then(|head| policy.set(token, expires_at, now, &head.request())))
}

fn to_json<T: Serialize>(value: &T) -> Result<String, Rejection> {
    let text = serde_json::to_string(value);
    text.map_err(|_| Error::internal("a response cannot be serialized").into())
}
