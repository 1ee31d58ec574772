//! The closed list of things that a caller can do about an error.

use std::fmt;

use serde::Serialize;

/// What the caller should do now. The list is closed: match on it without a wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
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

impl Advice {
    /// The stable name of this advice: `refresh`, `sign_in`, `reject`, `retry` or `fix`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refresh => "refresh",
            Self::SignIn => "sign_in",
            Self::Reject => "reject",
            Self::Retry => "retry",
            Self::Fix => "fix",
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
