//! Errors of the core as data.

use regrant::{Error, Language};

use crate::Advice;

/// Why a token or a configuration was refused.
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
    },
}

impl RegrantError {
    /// The stable code.
    pub fn code(&self) -> &str {
        let Self::Failed { code, .. } = self;
        code
    }
}

impl From<Error> for RegrantError {
    fn from(error: Error) -> Self {
        let code = error.code();
        let (detail, field) = match error {
            Error::ClaimMissing { claim } | Error::ClaimInvalid { claim } => {
                (Some(claim.into_owned()), None)
            }
            Error::ConfigInvalid { field, problem } => (Some(problem), Some(field)),
            Error::Internal { what } => (Some(what.into_owned()), None),
            Error::SessionRevoked { reason } => (Some(reason.to_string()), None),
            _ => (None, None),
        };
        Self::Failed {
            code: code.as_str().to_owned(),
            advice: code.advice(),
            status: code.http_status().into(),
            text: code.message(Language::En).to_owned(),
            detail,
            field,
        }
    }
}

#[cfg(test)]
mod tests {
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
    fn plain_errors_have_no_detail() {
        let RegrantError::Failed { advice, status, detail, .. } = Error::TokenExpired.into();
        assert_eq!((advice, status, detail), (Advice::Refresh, 401, None));
    }
}
