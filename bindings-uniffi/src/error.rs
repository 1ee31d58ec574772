//! Errors of the core as data.

use std::time::Duration;

use regrant::client::Refusal;
use regrant::{Error, ErrorCode, Language};

use crate::{Advice, SignOutReason};

/// Why a token, a configuration or a wish of the app was refused.
///
/// One variant: the *code* tells errors apart (an open list, see `errorCodes`), the *advice* says
/// what to do now (a closed list). No text contains a token or the value of a claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum RegrantError {
    /// It was refused.
    #[error("{code}: {text}{}", detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default())]
    Failed {
        /// The stable code, for example `ERR_TOKEN_EXPIRED`: the same in every language.
        code: String,
        /// What the caller should do now.
        advice: Advice,
        /// The HTTP status that a server answers with.
        status: i32,
        // Not `message`, which Kotlin's exceptions have already.
        /// The English text of the code.
        text: String,
        /// What there is to say beyond the text: the name of a claim, the problem of a field.
        detail: Option<String>,
        /// The path of the refused field of the configuration.
        field: Option<String>,
        /// Why the user has to sign in; only by a session, and only with the advice to do so.
        sign_out: Option<SignOutReason>,
        /// How long to wait before trying again, zero when it may be tried at once; only by a
        /// session, and only with the advice to retry.
        retry_after: Option<Duration>,
    },
}

impl RegrantError {
    /// The stable code.
    pub fn code(&self) -> &str {
        let Self::Failed { code, .. } = self;
        code
    }

    /// What is fixed about `code`, and nothing else.
    fn plain(code: ErrorCode) -> Self {
        Self::Failed {
            code: code.as_str().to_owned(),
            advice: code.advice(),
            status: code.http_status().into(),
            text: code.message(Language::En).to_owned(),
            detail: None,
            field: None,
            sign_out: None,
            retry_after: None,
        }
    }
}

impl From<Error> for RegrantError {
    fn from(error: Error) -> Self {
        let mut plain = Self::plain(error.code());
        let Self::Failed { detail, field, .. } = &mut plain;
        (*detail, *field) = match error {
            Error::ClaimMissing { claim } | Error::ClaimInvalid { claim } => {
                (Some(claim.into_owned()), None)
            }
            Error::ConfigInvalid { field, problem } => (Some(problem), Some(field)),
            Error::Internal { what } => (Some(what.into_owned()), None),
            Error::SessionRevoked { reason } => (Some(reason.to_string()), None),
            _ => (None, None),
        };
        plain
    }
}

impl From<Refusal> for RegrantError {
    fn from(refusal: Refusal) -> Self {
        let mut plain = Self::plain(refusal.code());
        let Self::Failed { detail, sign_out, retry_after, .. } = &mut plain;
        match refusal {
            Refusal::SignIn(reason) => {
                (*detail, *sign_out) = (Some(reason.to_string()), Some(reason.into()));
            }
            Refusal::TryLater { trouble, retry_after: wait } => {
                (*detail, *retry_after) = (Some(trouble.to_string()), Some(wait));
            }
        }
        plain
    }
}

#[cfg(test)]
mod tests {
    use regrant::client::Trouble;

    use super::*;

    #[test]
    fn carries_everything_that_the_core_says() {
        let error =
            RegrantError::from(Error::config("access.leeway", "expected at most 5 minutes"));
        let expected = RegrantError::Failed {
            code: "ERR_CONFIG_INVALID".to_owned(),
            advice: Advice::Fix,
            status: 500,
            text: "The configuration is invalid".to_owned(),
            detail: Some("expected at most 5 minutes".to_owned()),
            field: Some("access.leeway".to_owned()),
            sign_out: None,
            retry_after: None,
        };
        assert_eq!(error, expected);
        assert_eq!(
            error.to_string(),
            "ERR_CONFIG_INVALID: The configuration is invalid: expected at most 5 minutes"
        );
    }

    #[test]
    fn names_the_claim() {
        for error in [Error::claim_missing("iat"), Error::claim_invalid("iat")] {
            let code = error.code();
            let RegrantError::Failed { detail, field, code: shown, .. } = error.into();
            assert_eq!((detail.as_deref(), field), (Some("iat"), None));
            assert_eq!(shown, code.as_str());
        }
    }

    #[test]
    fn a_session_says_why_to_sign_in_and_when_to_try_again() {
        let RegrantError::Failed { code, advice, sign_out, retry_after, .. } =
            Refusal::SignIn(regrant::client::SignOutReason::Reused).into();
        assert_eq!((code.as_str(), advice), ("ERR_REFRESH_REUSED", Advice::SignIn));
        assert_eq!((sign_out, retry_after), (Some(SignOutReason::Reused), None));

        let wait = Duration::from_secs(7);
        let later = Refusal::TryLater { trouble: Trouble::Storage, retry_after: wait };
        let RegrantError::Failed { code, advice, sign_out, retry_after, .. } = later.into();
        assert_eq!((code.as_str(), advice), ("ERR_STORE_UNAVAILABLE", Advice::Retry));
        assert_eq!((sign_out, retry_after), (None, Some(wait)));
    }

    #[test]
    fn plain_errors_have_no_detail() {
        let RegrantError::Failed { advice, status, detail, .. } = Error::TokenExpired.into();
        assert_eq!((advice, status, detail), (Advice::Refresh, 401, None));
    }
}
