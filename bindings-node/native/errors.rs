//! The table of error codes, so that TypeScript never has it by hand.

use napi_derive::napi;
use regrant::{ErrorCode, Language};

/// The texts of a code.
#[napi(object, object_from_js = false)]
pub struct ErrorMessages {
    /// English.
    pub en: String,
    /// Korean.
    pub ko: String,
}

/// One code and what is fixed about it.
#[napi(object, object_from_js = false)]
pub struct ErrorEntry {
    /// The stable code.
    pub code: String,
    /// What the caller should do now.
    pub advice: String,
    /// The HTTP status of an answer.
    pub status: u16,
    /// The value of `WWW-Authenticate`, for a 401.
    pub www_authenticate: Option<String>,
    /// The text in each language.
    pub messages: ErrorMessages,
}

/// Every code of the core.
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
