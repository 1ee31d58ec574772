//! Errors of the core as plain data, because an error that is thrown in JavaScript is cheaper
//! than one thrown natively, and because async functions cannot throw custom codes.

use napi::bindgen_prelude::Either;
use napi_derive::napi;
use regrant::Error;
use serde::Serialize;

/// Why something was refused. Texts, advice and status are in the table of codes.
#[napi(object, object_from_js = false)]
pub struct Failure {
    /// The stable code, for example `ERR_TOKEN_EXPIRED`.
    pub code: String,
    /// What the message says beyond the text of the code: a claim's name, what is broken.
    pub detail: Option<String>,
    /// The path of the refused field of the configuration.
    pub field: Option<String>,
    /// Why the session was revoked.
    pub reason: Option<String>,
    /// The nonce that a proof of a key needs.
    pub nonce: Option<String>,
    /// When to ask again at the earliest, in ms.
    pub retry_after: Option<f64>,
    /// What the store or another outside party said.
    pub cause: Option<String>,
}

/// Text on success, mostly JSON.
#[napi]
pub type Outcome = Either<String, Failure>;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut failure = Self {
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
                failure.detail = Some(claim.into_owned());
            }
            Error::ConfigInvalid { field, problem } => {
                failure.detail = Some(format!("{field}: {problem}"));
                failure.field = Some(field);
            }
            Error::Internal { what } => failure.detail = Some(what.into_owned()),
            Error::DpopProofInvalid { problem } => failure.detail = Some(problem.to_owned()),
            Error::DpopNonceRequired { nonce } => failure.nonce = Some(nonce),
            Error::SessionRevoked { reason } => failure.reason = Some(reason.as_str().to_owned()),
            _ => {}
        }
        failure
    }
}

/// The value as JSON text, or the failure.
pub fn json<T: Serialize>(result: Result<T, Error>) -> Outcome {
    text(result.and_then(|value| {
        serde_json::to_string(&value).map_err(|_| Error::internal("a result cannot be serialized"))
    }))
}

/// The text, or the failure.
pub fn text(result: Result<String, Error>) -> Outcome {
    match result {
        Ok(text) => Either::A(text),
        Err(error) => Either::B(error.into()),
    }
}
