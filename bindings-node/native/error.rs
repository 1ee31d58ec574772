//! Errors of the core as plain data, and the table of their codes.
//!
//! An error that TypeScript throws is cheaper than one thrown natively, and async functions of napi
//! cannot throw errors with custom codes.

use napi::bindgen_prelude::Either;
use napi_derive::napi;
use regrant::{Error, ErrorCode, Language};
use serde::Serialize;

/// An error. Messages, advice and status are in the table of codes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[napi(object, object_from_js = false)]
pub struct ErrorDto {
    /// The stable code, for example `ERR_TOKEN_EXPIRED`.
    pub code: String,
    /// What the message says beyond the text of the code: the name of a claim, what is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The path of the rejected field of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Why the session was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The nonce that a DPoP proof needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// When to retry at the earliest, in ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<f64>,
    /// What the store or another outside party said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl From<Error> for ErrorDto {
    fn from(error: Error) -> Self {
        let mut dto = Self {
            code: error.code().as_str().to_owned(),
            detail: None,
            field: None,
            reason: None,
            nonce: None,
            retry_after: error.retry_after().map(|span| span.as_secs_f64() * 1000.0),
            cause: std::error::Error::source(&error).map(ToString::to_string),
        };
        match error {
            Error::ClaimMissing { claim } | Error::ClaimInvalid { claim } => {
                dto.detail = Some(claim.into_owned());
            }
            Error::ConfigInvalid { field, problem } => {
                dto.detail = Some(format!("{field}: {problem}"));
                dto.field = Some(field);
            }
            Error::Internal { what } => dto.detail = Some(what.into_owned()),
            Error::DpopProofInvalid { problem } => dto.detail = Some(problem.to_owned()),
            Error::DpopNonceRequired { nonce } => dto.nonce = Some(nonce),
            Error::SessionRevoked { reason } => dto.reason = Some(reason.as_str().to_owned()),
            _ => {}
        }
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

/// A code and what follows from it.
#[napi(object, object_from_js = false)]
pub struct ErrorEntry {
    /// The stable code.
    pub code: String,
    /// What the caller should do now.
    pub advice: String,
    /// The HTTP status of the response.
    pub status: u16,
    /// The value of `WWW-Authenticate`, for a 401.
    pub www_authenticate: Option<String>,
    /// The message in each language.
    pub messages: ErrorMessages,
}

/// The table of all codes of the core, so that TypeScript has no copy.
#[napi(catch_unwind)]
pub fn error_table() -> Vec<ErrorEntry> {
    ErrorCode::ALL
        .iter()
        .map(|code| ErrorEntry {
            code: code.as_str().to_owned(),
            advice: code.advice().as_str().to_owned(),
            status: code.http_status(),
            www_authenticate: code.www_authenticate(),
            messages: ErrorMessages {
                en: code.message(Language::En).to_owned(),
                ko: code.message(Language::Ko).to_owned(),
            },
        })
        .collect()
}
