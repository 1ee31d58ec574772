//! How operations ended, as labels of metrics and fields of spans.

use tracing::{Instrument, Span};

use crate::error::{Error, ErrorCode, Result};

/// The outcome of what failed. What the client did wrong is `rejected`; what is neither its
/// fault nor the store's is `failed`.
pub(super) fn failure(error: &Error) -> &'static str {
    match error.code() {
        ErrorCode::RefreshSuperseded => "superseded",
        ErrorCode::RefreshExpired => "expired",
        ErrorCode::SessionUnknown => "unknown",
        ErrorCode::SessionRevoked => "revoked",
        ErrorCode::RefreshReused => "reused",
        ErrorCode::TooManyAttempts => "limited",
        ErrorCode::StoreUnavailable => "store_error",
        ErrorCode::ConfigInvalid | ErrorCode::Internal | ErrorCode::KeysUnavailable => "failed",
        _ => "rejected",
    }
}

/// Notes in the span of an operation how it ended.
pub(crate) fn note<T>(
    span: &Span,
    result: &Result<T>,
    success: impl FnOnce(&T) -> &'static str,
) -> &'static str {
    let outcome = match result {
        Ok(value) => success(value),
        Err(error) => {
            span.record("error", error.code().as_str());
            failure(error)
        }
    };
    span.record("outcome", outcome);
    outcome
}

/// Carries out an operation in its span and notes there how it ended.
pub(crate) async fn within<T>(
    span: Span,
    operation: impl Future<Output = Result<T>>,
    success: impl FnOnce(&T) -> &'static str,
) -> Result<T> {
    let result = operation.instrument(span.clone()).await;
    note(&span, &result, success);
    result
}
