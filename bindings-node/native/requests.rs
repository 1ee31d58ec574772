//! The asynchronous calls of [`NativeAuth`](crate::auth::NativeAuth): checks and converts what
//! JavaScript passes, then calls the core.

use std::sync::Arc;
use std::time::Duration;

use napi_derive::napi;
use regrant::access::VerifiedAccess;
use regrant::auth::StalePolicy;
use regrant::config::Lifetime;
use regrant::dpop;
use regrant::session::{ClientDetails, DeviceLabel};
use regrant::types::{Clock, RevocationReason, SessionId, Subject, Timestamp};
use regrant::{
    Auth, Error, Login, Logout, LogoutEverywhere, RefreshRequest, Result, SessionUpdate,
};
use serde::Serialize;
use serde_json::{Map, Value};

/// A DPoP proof (RFC 9449) as it was presented, and the request that it must be for.
#[napi(object, object_to_js = false)]
pub struct PresentedProof {
    /// The value of the header `DPoP`.
    pub proof: String,
    /// The method of the request.
    pub method: String,
    /// Its path; a query may follow.
    pub path: String,
}

impl From<PresentedProof> for dpop::PresentedProof {
    fn from(PresentedProof { proof, method, path }: PresentedProof) -> Self {
        Self::new(proof, method, path)
    }
}

/// What a call needs. Each call has its own clone and borrows nothing from JavaScript.
#[derive(Clone)]
pub struct Calls {
    pub auth: Auth,
    pub clock: Arc<dyn Clock>,
}

/// What a request tells of its client.
#[napi(object, object_to_js = false)]
pub struct ClientInput {
    /// The address of the client.
    #[napi(ts_type = "string | undefined")]
    pub address: Option<String>,
    /// The user agent of the client.
    #[napi(ts_type = "string | undefined")]
    pub user_agent: Option<String>,
}

impl From<ClientInput> for ClientDetails {
    fn from(ClientInput { address, user_agent }: ClientInput) -> Self {
        let mut client = Self::default();
        if let Some(address) = address {
            client = client.address(&address);
        }
        if let Some(user_agent) = user_agent {
            client = client.user_agent(&user_agent);
        }
        client
    }
}

/// The options of a login.
#[napi(object, object_to_js = false)]
pub struct LoginInput {
    /// The label of the device.
    #[napi(ts_type = "string | undefined")]
    pub device: Option<String>,
    /// The app's own claims, as JSON text of an object.
    #[napi(ts_type = "string | undefined")]
    pub claims: Option<String>,
    /// The idle lifetime, as the JSON text of a number of seconds or of a text such as `"14d"`.
    #[napi(ts_type = "string | undefined")]
    pub idle_ttl: Option<String>,
    /// The absolute lifetime, likewise.
    #[napi(ts_type = "string | undefined")]
    pub absolute_ttl: Option<String>,
    /// Whether browsers keep the cookies when they close.
    #[napi(ts_type = "boolean | undefined")]
    pub persistent: Option<bool>,
    /// The DPoP proof of the request.
    #[napi(ts_type = "PresentedProof | undefined")]
    pub proof: Option<PresentedProof>,
    /// The client.
    pub client: ClientInput,
}

/// The options of a refresh.
#[napi(object, object_to_js = false)]
pub struct RefreshInput {
    /// The user that the client claims to be.
    #[napi(ts_type = "string | undefined")]
    pub expected: Option<String>,
    /// Whether to issue the next refresh token.
    #[napi(ts_type = "boolean | undefined")]
    pub rotate: Option<bool>,
    /// The app's own claims, as JSON text of an object.
    #[napi(ts_type = "string | undefined")]
    pub claims: Option<String>,
    /// The DPoP proof of the request.
    #[napi(ts_type = "PresentedProof | undefined")]
    pub proof: Option<PresentedProof>,
    /// The client.
    pub client: ClientInput,
}

/// Tokens, and the time of the clock by which they expire.
#[derive(Serialize)]
struct WithServerTime<T> {
    now: Timestamp,
    #[serde(flatten)]
    tokens: T,
}

impl Calls {
    pub async fn verify_checked(
        &self,
        token: &str,
        stale_policy: &str,
        proof: Option<PresentedProof>,
    ) -> Result<VerifiedAccess> {
        let stale_policy = parse_stale_policy(stale_policy)?;
        let access = match proof {
            None => self.auth.verify(token)?,
            Some(proof) => self.auth.verify_with_proof(token, &proof.into())?,
        };
        self.auth.apply_stale_policy(access, stale_policy).await
    }

    pub async fn logout(
        &self,
        token: &str,
        proof: Option<PresentedProof>,
        client: ClientInput,
    ) -> Result<bool> {
        let mut logout = Logout::new(token).client(client.into());
        if let Some(proof) = proof {
            logout = logout.proof(proof.into());
        }
        self.auth.logout(logout).await
    }

    pub async fn login(
        &self,
        subject: String,
        input: LoginInput,
    ) -> Result<impl Serialize + use<>> {
        let LoginInput { device, claims, idle_ttl, absolute_ttl, persistent, proof, client } =
            input;
        let mut login = Login::new(Subject::new(subject)?)
            .device(DeviceLabel::lossy(&device.unwrap_or_default()))
            .claims(parse_claims(claims)?.unwrap_or_default())
            .persistent(persistent.unwrap_or(true))
            .client(client.into());
        if let Some(ttl) = idle_ttl {
            login = login.idle_ttl(parse_lifetime("idleTtl", &ttl)?);
        }
        if let Some(ttl) = absolute_ttl {
            login = login.absolute_ttl(parse_lifetime("absoluteTtl", &ttl)?);
        }
        if let Some(proof) = proof {
            login = login.proof(proof.into());
        }
        let tokens = self.auth.login(login).await?;
        Ok(WithServerTime { now: self.clock.now(), tokens })
    }

    pub fn issue_access_token(
        &self,
        subject: String,
        claims: Option<String>,
    ) -> Result<impl Serialize + use<>> {
        let claims = parse_claims(claims)?.unwrap_or_default();
        let issued = self.auth.issue_access_token(Subject::new(subject)?, claims)?;
        Ok(serde_json::json!({
            "now": self.clock.now(),
            "accessToken": issued.token,
            "accessExpiresAt": issued.expires_at,
        }))
    }

    pub async fn refresh(
        &self,
        token: &str,
        input: RefreshInput,
    ) -> Result<impl Serialize + use<>> {
        let RefreshInput { expected, rotate, claims, proof, client } = input;
        let ClientInput { address, user_agent } = client;
        let mut request = RefreshRequest::new(token);
        if let Some(claims) = parse_claims(claims)? {
            request = request.claims(claims);
        }
        if let Some(expected) = expected {
            // A client may claim to be anybody: an id that no user has is a mismatch.
            let expected = Subject::new(expected).map_err(|_| Error::SubjectMismatch)?;
            request = request.expect_subject(expected);
        }
        if let Some(address) = address {
            request = request.address(&address);
        }
        if let Some(user_agent) = user_agent {
            request = request.user_agent(&user_agent);
        }
        if let Some(rotate) = rotate {
            request = request.rotate(rotate);
        }
        if let Some(proof) = proof {
            request = request.proof(proof.into());
        }
        let tokens = self.auth.refresh(request).await?;
        Ok(WithServerTime { now: self.clock.now(), tokens })
    }

    pub async fn update_session(
        &self,
        subject: String,
        session: &str,
        claims: String,
        at_once: bool,
        client: ClientInput,
    ) -> Result<bool> {
        let (subject, session) = (Subject::new(subject)?, parse_session(session, "sessionId")?);
        let claims = parse_claims(Some(claims))?.unwrap_or_default();
        let update = SessionUpdate::claims(subject, session, claims).client(client.into());
        self.auth.update_session(if at_once { update.at_once() } else { update }).await
    }

    pub async fn revoke_session(
        &self,
        subject: String,
        session: &str,
        reason: &str,
        client: ClientInput,
    ) -> Result<bool> {
        let (subject, session) = (Subject::new(subject)?, parse_session(session, "sessionId")?);
        let reason = parse_reason(reason)?;
        self.auth.revoke_session_from(&subject, &session, reason, client.into()).await
    }

    /// All sessions, except one (`except`), or only those from before an instant in ms (`before`).
    pub async fn logout_everywhere(
        &self,
        subject: String,
        except: Option<String>,
        before: Option<f64>,
        reason: Option<String>,
        client: ClientInput,
    ) -> Result<impl Serialize + use<>> {
        let mut request = LogoutEverywhere::new(Subject::new(subject)?).client(client.into());
        if let Some(session) = except {
            request = request.except(parse_session(&session, "exceptSession")?);
        }
        if let Some(instant) = before {
            request = request.before(parse_instant(instant, "before")?);
        }
        if let Some(name) = reason {
            request = request.reason(parse_reason(&name)?);
        }
        self.auth.logout_everywhere(request).await
    }

    pub async fn sessions(
        &self,
        subject: String,
        current: Option<String>,
    ) -> Result<impl Serialize + use<>> {
        let current = current.map(|id| parse_session(&id, "current")).transpose()?;
        self.auth.sessions(&Subject::new(subject)?, current.as_ref()).await
    }
}

/// The app's claims, the JSON text of an object.
pub fn parse_claims(text: Option<String>) -> Result<Option<Map<String, Value>>> {
    text.map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|_| Error::argument("claims", "expected an object that JSON can hold"))
}

fn parse_lifetime(argument: &'static str, json: &str) -> Result<Duration> {
    let value: Value = serde_json::from_str(json)
        .map_err(|_| Error::argument(argument, "expected a number of seconds, or text"))?;
    let Lifetime(span) = serde_json::from_value(value)
        .map_err(|error| Error::argument(argument, error.to_string()))?;
    Ok(span)
}

pub fn parse_session(text: &str, argument: &'static str) -> Result<SessionId> {
    text.parse().map_err(|_| Error::argument(argument, "expected a session id"))
}

/// What is wrong with the option `name` where only those in `known` exist.
#[napi(catch_unwind)]
#[allow(clippy::needless_pass_by_value, reason = "napi passes values")]
pub fn unknown_option_problem(name: String, known: Vec<String>) -> String {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    regrant::config::unknown_option_problem(&name, &known)
}

/// `open`, `ask` or `closed`.
fn parse_stale_policy(name: &str) -> Result<StalePolicy> {
    serde_json::from_value(Value::from(name))
        .map_err(|_| Error::argument("whenStale", "expected open, ask or closed"))
}

/// Milliseconds since 1970, as in `Date`.
#[allow(clippy::cast_possible_truncation, reason = "a Date ends long before an i64 does")]
fn parse_instant(millis: f64, name: &'static str) -> Result<Timestamp> {
    match millis.is_finite() {
        true => Ok(Timestamp::from_millis(millis as i64)),
        false => Err(Error::argument(name, "expected a valid date")),
    }
}

/// The name of a reason, for example `logout`.
fn parse_reason(name: &str) -> Result<RevocationReason> {
    RevocationReason::ALL
        .iter()
        .find(|(reason, _)| reason.as_str() == name)
        .map(|(reason, _)| *reason)
        .ok_or_else(|| {
            let names: Vec<_> = RevocationReason::ALL.iter().map(|(it, _)| it.as_str()).collect();
            Error::argument("reason", format!("expected one of: {}", names.join(", ")))
        })
}
