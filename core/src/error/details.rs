//! Errors as data: everything that a binding needs to raise an error in its own language.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{Advice, Error, ErrorCode, Language, RevocationReason};

/// The advice, HTTP status, challenge and messages of an [`ErrorCode`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ErrorInfo {
    /// The stable code.
    pub code: ErrorCode,
    /// What the caller should do now.
    pub advice: Advice,
    /// The HTTP status of a response with this error.
    pub status: u16,
    /// The value of `WWW-Authenticate` (RFC 6750 §3, RFC 9449 §7.1), with status 401 and with
    /// [`ErrorCode::InsufficientScope`].
    pub www_authenticate: Option<String>,
    /// The message for people.
    pub messages: ErrorMessages,
}

/// The message of an [`ErrorCode`] in each [`Language`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ErrorMessages {
    /// English.
    pub en: &'static str,
    /// Korean.
    pub ko: &'static str,
}

/// An [`Error`] as data. As JSON, absent members are left out, and those of [`ErrorInfo`] stand
/// beside the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ErrorDetails {
    /// The advice, HTTP status, challenge and messages of the code.
    #[serde(flatten)]
    pub info: ErrorInfo,
    /// What developers should see beyond the message: the name of a claim, the field of a
    /// configuration and its problem, the reason of a revocation. Append it as `message: detail`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The path of a field of the configuration (`access.ttl`), or the name of a claim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Why the session was revoked, with `ERR_SESSION_REVOKED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<RevocationReason>,
    /// The value of the header `DPoP-Nonce`, with `ERR_DPOP_NONCE_REQUIRED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dpop_nonce: Option<String>,
    /// When to retry at the earliest. As JSON, whole seconds: the value of `Retry-After`
    /// (RFC 9110 §10.2.3).
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "whole_seconds")]
    pub retry_after: Option<Duration>,
    /// The error of the store, the transport or another external system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}

impl ErrorCode {
    /// The advice, HTTP status, challenge and messages of this code.
    pub fn info(self) -> ErrorInfo {
        ErrorInfo {
            code: self,
            advice: self.advice(),
            status: self.http_status(),
            www_authenticate: self.www_authenticate(),
            messages: ErrorMessages {
                en: self.message(Language::En),
                ko: self.message(Language::Ko),
            },
        }
    }
}

impl Error {
    /// This error as data, for bindings to other languages.
    pub fn details(&self) -> ErrorDetails {
        let mut details = ErrorDetails {
            info: self.code().info(),
            detail: None,
            field: None,
            reason: None,
            dpop_nonce: None,
            retry_after: self.retry_after(),
            cause: std::error::Error::source(self).map(ToString::to_string),
        };
        match self {
            Self::ClaimMissing { claim } | Self::ClaimInvalid { claim } => {
                details.detail = Some(claim.to_string());
                details.field = Some(claim.to_string());
            }
            Self::ConfigInvalid { field, problem } => {
                details.detail = Some(format!("{field}: {problem}"));
                details.field = Some(field.clone());
            }
            Self::ArgumentInvalid { argument, problem } => {
                details.detail = Some(format!("{argument}: {problem}"));
                details.field = Some(argument.to_string());
            }
            Self::SessionRevoked { reason } => {
                details.detail = Some(reason.to_string());
                details.reason = Some(*reason);
            }
            Self::DpopProofInvalid { problem } => details.detail = Some((*problem).to_owned()),
            Self::DpopNonceRequired { nonce } => details.dpop_nonce = Some(nonce.clone()),
            Self::Internal { what } => details.detail = Some(what.to_string()),
            Self::InsufficientScope { .. } | Self::LoginTooOld { .. } => {
                details.info.www_authenticate = self.www_authenticate();
            }
            _ => {}
        }
        details
    }
}

impl ErrorDetails {
    /// The value of `Retry-After` (RFC 9110 §10.2.3): [`retry_after`](Self::retry_after) in whole
    /// seconds, rounded up, so that clients never retry too early.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after.map(round_up)
    }
}

fn round_up(span: Duration) -> u64 {
    span.as_secs() + u64::from(span.subsec_nanos() > 0)
}

fn whole_seconds<S: Serializer>(span: &Option<Duration>, out: S) -> Result<S::Ok, S::Error> {
    span.map(round_up).serialize(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn details_of_a_configuration_error_name_the_field() {
        let error = Error::config("access.leeway", "expected at most 5 minutes");
        let details = error.details();
        assert_eq!(details.info, ErrorCode::ConfigInvalid.info());
        assert_eq!(details.field.as_deref(), Some("access.leeway"));
        let detail = details.detail.unwrap();
        assert_eq!(detail, "access.leeway: expected at most 5 minutes");
        assert_eq!(error.to_string(), format!("{}: {detail}", details.info.messages.en));
    }

    #[test]
    fn details_of_a_claim_error_name_the_claim() {
        for error in [Error::claim_missing("iat"), Error::claim_invalid("iat")] {
            let details = error.details();
            assert_eq!(details.info.code, error.code());
            assert_eq!(
                (details.detail.as_deref(), details.field.as_deref()),
                (Some("iat"), Some("iat"))
            );
        }
    }

    #[test]
    fn details_serialize_without_absent_members() {
        let details = Error::SessionRevoked { reason: RevocationReason::Logout }.details();
        assert_eq!(
            serde_json::to_value(&details).unwrap(),
            json!({
                "code": "ERR_SESSION_REVOKED",
                "advice": "sign_in",
                "status": 401,
                "wwwAuthenticate": "Bearer error=\"invalid_token\", error_description=\"The session was revoked\"",
                "messages": { "en": "The session was revoked", "ko": "로그아웃된 세션입니다." },
                "detail": "logout",
                "reason": "logout",
            })
        );
    }

    #[test]
    fn details_carry_nonce_cause_and_retry_after() {
        let nonce = Error::DpopNonceRequired { nonce: "n".to_owned() }.details();
        assert_eq!(nonce.dpop_nonce.as_deref(), Some("n"));
        assert_eq!(Error::store("no connection").details().cause.as_deref(), Some("no connection"));
        for (millis, seconds) in [(0, 0), (1, 1), (1000, 1), (1001, 2)] {
            let retry_after = Duration::from_millis(millis);
            let details = Error::TooManyAttempts { retry_after }.details();
            assert_eq!(details.retry_after, Some(retry_after));
            assert_eq!(details.retry_after_seconds(), Some(seconds));
            assert_eq!(serde_json::to_value(&details).unwrap()["retryAfter"], seconds);
        }
    }

    /// The data of an error must not reveal more than its text.
    #[test]
    fn details_without_context_have_only_the_table_row() {
        let details = Error::TokenExpired.details();
        let info = serde_json::to_value(ErrorCode::TokenExpired.info()).unwrap();
        assert_eq!(serde_json::to_value(details).unwrap(), info);
    }
}
