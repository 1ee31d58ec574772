//! Errors as data, and the table of error codes.

use std::time::Duration;

use regrant::client::SessionError;
use regrant::{Error, ErrorCode};

use crate::SignOutReason;

pub use regrant::Advice;

/// The error of every function.
///
/// One variant: the *code* identifies the error (an open list, see `errorCodes`), the *advice* says
/// what to do (a closed list). No text contains a token or the value of a claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum RegrantError {
    /// The operation failed.
    #[error("{code}: {text}{}", detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default())]
    Failed {
        /// The stable code, for example `ERR_TOKEN_EXPIRED`.
        code: String,
        /// What the caller should do now.
        advice: Advice,
        /// The HTTP status that a server answers with.
        status: i32,
        // Not `message`, which Kotlin's exceptions have already.
        /// The English text of the code.
        text: String,
        /// Details beyond the text, for developers: the name of a claim, or a configuration field and
        /// its problem.
        detail: Option<String>,
        /// The path of the invalid configuration field, or the name of the claim.
        field: Option<String>,
        /// Why the user must sign in, if that is the advice.
        sign_out: Option<SignOutReason>,
        /// How long to wait before a retry, if that is the advice; zero if an immediate retry is fine.
        retry_after: Option<Duration>,
    },
}

impl RegrantError {
    /// The stable code.
    pub fn code(&self) -> &str {
        let Self::Failed { code, .. } = self;
        code
    }

    fn of_info(info: regrant::error::ErrorInfo) -> Self {
        Self::Failed {
            code: info.code.as_str().to_owned(),
            advice: info.advice,
            status: info.status.into(),
            text: info.messages.en.to_owned(),
            detail: None,
            field: None,
            sign_out: None,
            retry_after: None,
        }
    }
}

impl From<Error> for RegrantError {
    fn from(error: Error) -> Self {
        let details = error.details();
        let mut failed = Self::of_info(details.info);
        let Self::Failed { detail, field, retry_after, .. } = &mut failed;
        (*detail, *field) = (details.detail, details.field);
        *retry_after = details.retry_after;
        failed
    }
}

impl From<SessionError> for RegrantError {
    fn from(error: SessionError) -> Self {
        let mut failed = Self::of_info(error.code().info());
        let Self::Failed { detail, sign_out, retry_after, .. } = &mut failed;
        match error {
            SessionError::SignIn(reason) => {
                (*detail, *sign_out) = (Some(reason.to_string()), Some(reason.into()));
            }
            SessionError::Retry { cause, retry_after: delay } => {
                (*detail, *retry_after) = (Some(cause.to_string()), Some(delay));
            }
        }
        failed
    }
}

/// What the caller should do. The list is closed.
#[uniffi::remote(Enum)]
pub enum Advice {
    /// Call the refresh endpoint, then repeat the request once.
    Refresh,
    /// Show the login page.
    SignIn,
    /// Do not repeat this request unchanged.
    Reject,
    /// Stay signed in and repeat the request: with the newest token or the nonce given, and after
    /// the time given, if any.
    Retry,
    /// A bug in the program or its configuration: tell a developer.
    Fix,
}

/// The advice, HTTP status, challenge and messages of a code.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct ErrorInfo {
    /// The stable code.
    pub code: String,
    /// What the caller should do.
    pub advice: Advice,
    /// The HTTP status that a server answers with.
    pub status: i32,
    /// The value of `WWW-Authenticate` (RFC 6750 §3, RFC 9449 §7.1), with status 401 and with
    /// `ERR_INSUFFICIENT_SCOPE`.
    pub www_authenticate: Option<String>,
    /// The messages for users.
    pub messages: ErrorMessages,
}

/// The message of a code in each language.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct ErrorMessages {
    /// English.
    pub en: String,
    /// Korean.
    pub ko: String,
}

impl From<regrant::error::ErrorInfo> for ErrorInfo {
    fn from(info: regrant::error::ErrorInfo) -> Self {
        Self {
            code: info.code.as_str().to_owned(),
            advice: info.advice,
            status: info.status.into(),
            www_authenticate: info.www_authenticate,
            messages: ErrorMessages {
                en: info.messages.en.to_owned(),
                ko: info.messages.ko.to_owned(),
            },
        }
    }
}

/// All codes of this version. Later versions may add codes, and never rename one.
#[uniffi::export]
pub fn error_codes() -> Vec<ErrorInfo> {
    ErrorCode::ALL.iter().map(|code| code.info().into()).collect()
}

/// The advice, HTTP status, challenge and messages of `code`; nothing if this version does not know
/// it.
#[uniffi::export]
pub fn error_info(code: &str) -> Option<ErrorInfo> {
    ErrorCode::ALL.iter().find(|known| known.as_str() == code).map(|known| known.info().into())
}

#[cfg(test)]
mod tests {
    use regrant::client::TransientError;

    use super::*;

    #[test]
    fn a_config_error_names_its_field_and_problem() {
        let error =
            RegrantError::from(Error::config("access.leeway", "expected at most 5 minutes"));
        let expected = RegrantError::Failed {
            code: "ERR_CONFIG_INVALID".to_owned(),
            advice: Advice::Fix,
            status: 500,
            text: "The configuration is invalid".to_owned(),
            detail: Some("access.leeway: expected at most 5 minutes".to_owned()),
            field: Some("access.leeway".to_owned()),
            sign_out: None,
            retry_after: None,
        };
        assert_eq!(error, expected);
        assert_eq!(
            error.to_string(),
            "ERR_CONFIG_INVALID: The configuration is invalid: access.leeway: expected at most 5 minutes"
        );
    }

    #[test]
    fn a_claim_error_names_the_claim() {
        for error in [Error::claim_missing("iat"), Error::claim_invalid("iat")] {
            let code = error.code();
            let RegrantError::Failed { detail, field, code: shown, .. } = error.into();
            assert_eq!((detail.as_deref(), field.as_deref()), (Some("iat"), Some("iat")));
            assert_eq!(shown, code.as_str());
        }
    }

    #[test]
    fn a_session_error_has_a_reason_or_a_delay() {
        let RegrantError::Failed { code, advice, sign_out, retry_after, .. } =
            SessionError::SignIn(regrant::client::SignOutReason::Reused).into();
        assert_eq!((code.as_str(), advice), ("ERR_REFRESH_REUSED", Advice::SignIn));
        assert_eq!((sign_out, retry_after), (Some(SignOutReason::Reused), None));

        let wait = Duration::from_secs(7);
        let error = SessionError::Retry { cause: TransientError::Storage, retry_after: wait };
        let RegrantError::Failed { code, advice, sign_out, retry_after, .. } = error.into();
        assert_eq!((code.as_str(), advice), ("ERR_STORE_UNAVAILABLE", Advice::Retry));
        assert_eq!((sign_out, retry_after), (None, Some(wait)));
    }

    /// The vector file says what each error carries beyond its code, on every surface.
    #[test]
    fn details_match_the_vector_file() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/error-details.json");
        let json = std::fs::read_to_string(file).unwrap();
        let errors = [
            Error::TokenExpired,
            Error::claim_missing("sub"),
            Error::claim_invalid("exp"),
            Error::SessionRevoked { reason: regrant::types::RevocationReason::Administrative },
            Error::DpopProofInvalid { problem: "the request has no path" },
            Error::TooManyAttempts { retry_after: Duration::from_secs(60) },
            Error::argument("claims", "sub is a reserved claim"),
            Error::config(
                "refresh.limiter.windows",
                "unknown option, did you mean window? Known options: failures, window",
            ),
        ];
        let vectors: serde_json::Value = serde_json::from_str(&json).unwrap();
        let vectors = vectors.as_array().unwrap();
        assert_eq!(vectors.len(), errors.len());
        for (error, expected) in errors.into_iter().zip(vectors) {
            let RegrantError::Failed { code, detail, field, retry_after, .. } = error.into();
            assert_eq!(code, expected["code"]);
            assert_eq!(detail.as_deref(), expected["detail"].as_str(), "{code}");
            assert_eq!(field.as_deref(), expected["field"].as_str(), "{code}");
            let seconds = expected["retryAfter"].as_u64();
            assert_eq!(retry_after, seconds.map(Duration::from_secs), "{code}");
        }
    }

    #[test]
    fn other_errors_have_no_detail() {
        let RegrantError::Failed { advice, status, detail, .. } = Error::TokenExpired.into();
        assert_eq!((advice, status, detail), (Advice::Refresh, 401, None));
    }

    #[test]
    fn the_table_matches_the_core() {
        let table = error_codes();
        assert_eq!(table.len(), ErrorCode::ALL.len());
        for (info, code) in table.iter().zip(ErrorCode::ALL) {
            assert_eq!(info.code, code.as_str());
            assert_eq!(info.advice, code.advice());
            assert_eq!(info.status, i32::from(code.http_status()));
            assert_eq!(info.messages.ko, code.message(regrant::Language::Ko));
            assert_eq!(error_info(&info.code).as_ref(), Some(info));
        }
        assert_eq!(error_info("ERR_NO_SUCH_CODE"), None);
    }
}
