//! What kept a command from answering.

use serde_json::json;

use super::exit::Exit;
use crate::error::{Advice, Error, ErrorCode};

/// What kept a command from answering. Holds no secret and no token.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    code: ErrorCode,
    field: Option<String>,
    message: String,
}

impl Failure {
    /// The command was used wrongly.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        let code = ErrorCode::ConfigInvalid;
        Self { exit: Exit::Usage, code, field: None, message: message.into() }
    }

    /// A file, stdin or another outside party failed.
    pub(super) fn outside(message: impl Into<String>) -> Self {
        let code = ErrorCode::Internal;
        Self { exit: Exit::Unavailable, code, field: None, message: message.into() }
    }

    /// With where it happened in front: the name of a file.
    pub(super) fn at(self, place: &str) -> Self {
        Self { message: format!("{place}: {}", self.message), ..self }
    }

    /// For stderr: a line for people, or JSON.
    pub(super) fn render(&self, as_json: bool) -> String {
        if !as_json {
            return format!("error: {}\n", self.message);
        }
        let error = json!({
            "code": self.code.as_str(),
            "advice": self.code.advice(),
            "field": self.field,
            "message": self.message,
        });
        format!("{}\n", json!({ "error": error }))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = error.code();
        let exit = match code.advice() {
            Advice::Retry => Exit::Unavailable,
            Advice::Fix if code == ErrorCode::ConfigInvalid => Exit::Usage,
            Advice::Fix => Exit::Unavailable,
            Advice::Refresh | Advice::SignIn | Advice::Reject => Exit::No,
        };
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        let (field, message) = match error {
            Error::ConfigInvalid { field, problem } => {
                let place = if field.is_empty() { "configuration" } else { &field };
                let message = format!("{place}: {problem}");
                (Some(field), message)
            }
            other => (None, format!("{other}{}", cause.unwrap_or_default())),
        };
        Self { exit, code, field, message }
    }
}
