//! Which refresh token a request presents: the one of its body, or of one or several cookies.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::cookies::CookiePolicy;
use super::credentials::{AccessCredentials, MAX_CANDIDATES, warn_of_origin};
use super::origin::is_own_page;
use super::policy::WebPolicy;
use super::request::{AuthorizationHeader, RequestHead};
use crate::auth::Auth;
use crate::error::{Error, Result};
use crate::types::Subject;

/// The body of a request, as the app has it.
#[derive(Clone, Copy)]
pub enum RequestBody<'a> {
    /// Nothing has read it.
    Unread,
    /// The app has it, but not as JSON: as text, bytes or a stream.
    Raw,
    /// It was parsed: the `refreshToken` of the JSON object, if it is one that has it.
    Parsed(Option<&'a str>),
}

/// The refresh token that a request presents.
#[derive(Clone)]
pub struct PresentedRefresh {
    /// The token.
    pub token: String,
    /// Whether the request had several cookies of the name. The response removes the others.
    pub had_others: bool,
}

/// The refresh tokens of the cookies, or that of the body: at least one.
pub(super) fn presented_tokens(
    web: &WebPolicy,
    request: &RequestHead<'_>,
    body: RequestBody<'_>,
) -> Result<Vec<String>> {
    let Some(cookie) = &web.refresh_cookie else {
        return match body {
            RequestBody::Parsed(Some(token)) if !token.is_empty() => Ok(vec![token.to_owned()]),
            RequestBody::Unread if request.has_body() == Some(true) => Err(unparsed_body(request)),
            RequestBody::Raw if request.has_body() != Some(false) => Err(unparsed_body(request)),
            _ => Err(Error::TokenMissing),
        };
    };
    let tokens = request.cookies(&cookie.name);
    if tokens.is_empty() {
        warn_of_path(cookie, request);
        return Err(Error::TokenMissing);
    }
    if !is_own_page(request, &web.allowed_origins) {
        warn_of_origin();
        return Err(Error::OriginNotAllowed);
    }
    Ok(tokens)
}

/// Returns the one of `tokens`, of which there is at least one, that counts.
pub(super) async fn choose(
    auth: &Auth,
    web: &WebPolicy,
    mut tokens: Vec<String>,
    request: &RequestHead<'_>,
) -> Result<String> {
    match tokens.len() {
        1 => check_page(auth, web, tokens.remove(0), request).await,
        _ => choose_live(auth, web, tokens, request).await,
    }
}

/// Returns the only refresh token of a request unless the page is of another user: the cookie may
/// be planted, or from a login in another tab.
async fn check_page(
    auth: &Auth,
    web: &WebPolicy,
    token: String,
    request: &RequestHead<'_>,
) -> Result<String> {
    let Some(page) = page_subject(auth, web, request) else { return Ok(token) };
    match auth.refresh_subject(&token).await {
        Ok(subject) if subject != page => Err(Error::SubjectMismatch),
        // Whose token it is may be known soon.
        Err(error) if error.advice() == crate::Advice::Retry => Err(error),
        // The refresh tells what is wrong with the token.
        Ok(_) | Err(_) => Ok(token),
    }
}

/// Chooses the refresh token whose session is alive, the newest if there are several.
async fn choose_live(
    auth: &Auth,
    web: &WebPolicy,
    tokens: Vec<String>,
    request: &RequestHead<'_>,
) -> Result<String> {
    if tokens.len() > MAX_CANDIDATES {
        return Err(Error::SubjectMismatch);
    }
    let mut live = Vec::new();
    let mut superseded = Vec::new();
    let mut past_users = Vec::new();
    for token in &tokens {
        match auth.introspect_refresh(token).await {
            Ok(found) => live.push((token, found)),
            // Its session is alive, and another tab has the newest token.
            Err(Error::RefreshSuperseded) => {
                superseded.push((token, auth.refresh_subject(token).await?));
            }
            Err(error) if error.advice() == crate::Advice::Retry => return Err(error),
            Err(_) => past_users.extend(auth.refresh_subject(token).await.ok()),
        }
    }
    let is_any_alive = !live.is_empty() || !superseded.is_empty();
    if let Some(page) = page_subject(auth, web, request) {
        live.retain(|(_, found)| found.subject == page);
        superseded.retain(|(_, subject)| *subject == page);
        past_users.clear();
    }
    let mut subjects: Vec<_> = live.iter().map(|(_, found)| &found.subject).collect();
    subjects.extend(superseded.iter().map(|(_, subject)| subject));
    if subjects.is_empty() && is_any_alive {
        return Err(Error::SubjectMismatch);
    }
    // Without a page that tells, a user whose session is over may be the one who sits here: another
    // user's live cookie must not take the place of the own one.
    if is_any_alive {
        subjects.extend(&past_users);
    }
    if subjects.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err(Error::SubjectMismatch);
    }
    let newest = live.into_iter().max_by_key(|(_, found)| found.issued_at);
    let chosen = newest.map(|(token, _)| token).or(superseded.first().map(|(token, _)| *token));
    // When none is alive, any of them tells why.
    chosen.or(tokens.first()).cloned().ok_or(Error::TokenMissing)
}

/// The user of the page that sent `request`, as its access token says. A subdomain can plant an
/// access cookie together with a refresh cookie, so only a header tells, or a cookie that no
/// subdomain can set.
fn page_subject(auth: &Auth, web: &WebPolicy, request: &RequestHead<'_>) -> Option<Subject> {
    let accepts_dpop = auth.checks_proofs();
    let from_header = matches!(
        request.authorization(&web.access_header, accepts_dpop),
        Ok(AuthorizationHeader::Bearer(_))
    );
    let is_host_only = web.access_cookie.as_ref().is_some_and(CookiePolicy::is_host_only);
    if !from_header && !is_host_only {
        return None;
    }
    match web.access_credentials(request, accepts_dpop).ok()? {
        AccessCredentials::Bearer(token) => Some(auth.verify(&token).ok()?.subject().clone()),
        // Two cookies cannot have one `__Host-` name.
        AccessCredentials::Several(_)
        | AccessCredentials::Missing
        | AccessCredentials::ForeignCookie
        | AccessCredentials::Dpop(_) => None,
    }
}
/// The error for a body that nothing has parsed, which the log reports once for each mount.
fn unparsed_body(request: &RequestHead<'_>) -> Error {
    let problem = "no body parser ran: parse JSON bodies before this endpoint (express.json() in Express), or pass the parsed JSON as the body of the request";
    if is_first_warning(format!("body of {}", mount_of(request))) {
        tracing::error!(target: "regrant::http", "cannot read a refresh token: {problem}");
    }
    Error::argument("body", problem)
}

/// Warns of a cookie path that browsers will never send to this endpoint, once for each path and
/// mount. A proxy that rewrites paths may make it right all the same.
fn warn_of_path(cookie: &CookiePolicy, request: &RequestHead<'_>) {
    let mount = mount_of(request);
    if !cookie.covers(&request.path()) && is_first_warning(format!("{} at {mount}", cookie.path)) {
        tracing::warn!(
            target: "regrant::http",
            "no refresh cookie in a request below {mount:?}, which is not below the path of the cookie, {:?}: browsers do not send it here unless a proxy rewrites paths",
            cookie.path
        );
    }
}

/// The path below which the endpoints are mounted.
fn mount_of(request: &RequestHead<'_>) -> String {
    let path = request.path();
    path.trim_end_matches('/').rsplit_once('/').map_or("", |(mount, _)| mount).to_owned()
}

/// Whether a warning is new in this process. Clients choose paths, so only so many are remembered;
/// then none is new.
fn is_first_warning(about: String) -> bool {
    const MAX_WARNINGS: usize = 64;
    static WARNINGS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut warnings = WARNINGS.lock().unwrap_or_else(PoisonError::into_inner);
    warnings.len() < MAX_WARNINGS && warnings.insert(about)
}
