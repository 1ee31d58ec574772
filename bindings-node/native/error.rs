//! Errors of the core as plain data, and the table of their codes.
//!
//! An error that TypeScript throws is cheaper than one thrown natively, and async functions of napi
//! cannot throw errors with custom codes.

use napi::bindgen_prelude::Either;
use napi_derive::napi;
use regrant::http::Rejection;
use regrant::{Error, ErrorCode};
use serde::Serialize;

/// The details of an error beyond its code; those of the code are in the table of codes. See
/// [`ErrorDetails`](regrant::error::ErrorDetails).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[napi(object, object_from_js = false)]
pub struct ErrorDto {
    /// The stable code, for example `ERR_TOKEN_EXPIRED`.
    pub code: String,
    /// What developers should see beyond the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The path of a field of the configuration, or the name of an argument or a claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Why the session was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The nonce that a DPoP proof needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// When to retry at the earliest, in whole seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// The value of `WWW-Authenticate`, where it differs from that of the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub www_authenticate: Option<String>,
    /// The error of the store or another external system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What the caller should do now, where that differs from the table of codes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// Values of `Set-Cookie` for the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookies: Option<Vec<String>>,
}

impl From<Error> for ErrorDto {
    fn from(error: Error) -> Self {
        let details = error.details();
        let code = error.code();
        Self {
            code: code.as_str().to_owned(),
            retry_after: details
                .retry_after_seconds()
                .map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
            www_authenticate: details
                .info
                .www_authenticate
                .filter(|challenge| code.www_authenticate().as_ref() != Some(challenge)),
            detail: details.detail,
            field: details.field,
            reason: details.reason.map(|reason| reason.as_str().to_owned()),
            nonce: details.dpop_nonce,
            cause: details.cause,
            advice: None,
            cookies: None,
        }
    }
}

impl From<Rejection> for ErrorDto {
    fn from(rejection: Rejection) -> Self {
        let mut dto = Self::from(rejection.error);
        dto.advice = Some(rejection.advice.as_str().to_owned());
        dto.nonce = dto.nonce.or(rejection.nonce);
        dto.cookies = (!rejection.cookies.is_empty()).then_some(rejection.cookies);
        dto
    }
}

impl ErrorDto {
    /// Whether there is more to say than the code.
    pub fn has_details(&self) -> bool {
        self.detail.is_some()
            || self.field.is_some()
            || self.reason.is_some()
            || self.nonce.is_some()
            || self.retry_after.is_some()
            || self.www_authenticate.is_some()
            || self.cause.is_some()
    }
}

/// Text on success, mostly JSON; else the error.
#[napi]
pub type NativeResult = Either<String, ErrorDto>;

/// The value as JSON text, or the error.
pub fn json<T: Serialize>(result: Result<T, Error>) -> NativeResult {
    text(result.and_then(|value| {
        serde_json::to_string(&value).map_err(|_| Error::internal("a result cannot be serialized"))
    }))
}

/// The text, or the error.
pub fn text(result: Result<String, Error>) -> NativeResult {
    match result {
        Ok(text) => Either::A(text),
        Err(error) => Either::B(error.into()),
    }
}

/// The messages of a code.
#[napi(object, object_from_js = false)]
pub struct ErrorMessages {
    /// English.
    pub en: String,
    /// Korean.
    pub ko: String,
}

/// The advice, HTTP status, challenge and messages of a code.
#[napi(object, object_from_js = false)]
pub struct ErrorInfo {
    /// The stable code.
    pub code: String,
    /// What the caller should do now.
    pub advice: String,
    /// The HTTP status of the response.
    pub status: u16,
    /// The value of `WWW-Authenticate` (RFC 6750 §3, RFC 9449 §7.1); with status 401 and with
    /// `ERR_INSUFFICIENT_SCOPE`.
    pub www_authenticate: Option<String>,
    /// The message in each language.
    pub messages: ErrorMessages,
}

/// All codes of the core, in its order: the index of a code is its number in the results of the
/// fast verifier.
#[napi(catch_unwind)]
pub fn error_table() -> Vec<ErrorInfo> {
    ErrorCode::ALL
        .iter()
        .map(|code| {
            let info = code.info();
            ErrorInfo {
                code: info.code.as_str().to_owned(),
                advice: info.advice.as_str().to_owned(),
                status: info.status,
                www_authenticate: info.www_authenticate,
                messages: ErrorMessages {
                    en: info.messages.en.to_owned(),
                    ko: info.messages.ko.to_owned(),
                },
            }
        })
        .collect()
}
