//! The table of error codes, so that no language keeps it by hand.

use regrant::{ErrorCode, Language};

pub use regrant::Advice;

/// What the caller should do now. The list is closed: every case can be handled.
#[uniffi::remote(Enum)]
pub enum Advice {
    /// Call the refresh endpoint, then repeat the request once.
    Refresh,
    /// The session is over: show the login page.
    SignIn,
    /// The token is not acceptable and no retry will change that.
    Reject,
    /// Nothing is wrong with the token: try again later and keep it.
    Retry,
    /// A defect of the program or its configuration: tell a developer.
    Fix,
}

/// One code and what is fixed about it.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct ErrorInfo {
    /// The stable code.
    pub code: String,
    /// What the caller should do now.
    pub advice: Advice,
    /// The HTTP status that a server answers with.
    pub status: i32,
    /// The value of `WWW-Authenticate`, for a 401 (RFC 6750 §3).
    pub www_authenticate: Option<String>,
    /// The text for people.
    pub messages: ErrorMessages,
}

/// The text of a code in each language that ships.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct ErrorMessages {
    /// English.
    pub en: String,
    /// Korean.
    pub ko: String,
}

impl From<ErrorCode> for ErrorInfo {
    fn from(code: ErrorCode) -> Self {
        Self {
            code: code.as_str().to_owned(),
            advice: code.advice(),
            status: code.http_status().into(),
            www_authenticate: code.www_authenticate(),
            messages: ErrorMessages {
                en: code.message(Language::En).to_owned(),
                ko: code.message(Language::Ko).to_owned(),
            },
        }
    }
}

/// Every code of this version. Later versions may add some and never rename one.
#[uniffi::export]
pub fn error_codes() -> Vec<ErrorInfo> {
    ErrorCode::ALL.iter().map(|code| (*code).into()).collect()
}

/// What is fixed about the code `code`; nothing for one that this version does not know.
#[uniffi::export]
pub fn error_info(code: &str) -> Option<ErrorInfo> {
    ErrorCode::ALL.iter().find(|known| known.as_str() == code).map(|known| (*known).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_cores() {
        let table = error_codes();
        assert_eq!(table.len(), ErrorCode::ALL.len());
        for (info, code) in table.iter().zip(ErrorCode::ALL) {
            assert_eq!(info.code, code.as_str());
            assert_eq!(info.advice, code.advice());
            assert_eq!(info.status, i32::from(code.http_status()));
            assert_eq!(info.messages.ko, code.message(Language::Ko));
            assert_eq!(error_info(&info.code).as_ref(), Some(info));
        }
        assert_eq!(error_info("ERR_NO_SUCH_CODE"), None);
    }
}
