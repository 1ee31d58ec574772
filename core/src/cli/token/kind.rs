//! The kind that a token says it is of, which nobody has checked.

use clap::ValueEnum;
use serde::Serialize;

use crate::token::DecodedToken;
use crate::token::jws::{TYP_ACCESS, TYP_JWT, TYP_REFRESH, is_typ};
use crate::types::Timestamp;

/// The two kinds that a server accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum Expected {
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
}

/// The kind that the header announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// `at+jwt`.
    Access,
    /// `rt+jwt`.
    Refresh,
    /// No `typ`, or `JWT`: of an app that did not tell its tokens apart.
    Untyped,
    /// Another `typ`.
    Other,
}

impl Kind {
    pub(super) fn of(token: &DecodedToken) -> Self {
        match token.header().get("typ") {
            None => Self::Untyped,
            Some(typ) => match typ.as_str() {
                Some(typ) if is_typ(typ, TYP_ACCESS) => Self::Access,
                Some(typ) if is_typ(typ, TYP_REFRESH) => Self::Refresh,
                Some(typ) if is_typ(typ, TYP_JWT) => Self::Untyped,
                _ => Self::Other,
            },
        }
    }

    /// With its article.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Access => "an access token",
            Self::Refresh => "a refresh token",
            Self::Untyped => "a token without a type",
            Self::Other => "a token of an unknown type",
        }
    }
}

/// The instant in a claim: seconds (RFC 7519 §2), but milliseconds in our refresh tokens.
pub(super) fn instant(token: &DecodedToken, claim: &str) -> Option<Timestamp> {
    let value = token.claims().get(claim)?;
    if Kind::of(token) == Kind::Refresh {
        return value.as_i64().map(Timestamp::from_millis);
    }
    match value.as_i64() {
        Some(seconds) => Some(Timestamp::from_seconds(seconds)),
        // The cast saturates, and `Timestamp` clamps further.
        #[allow(clippy::cast_possible_truncation)]
        None => value.as_f64().map(|seconds| Timestamp::from_millis((seconds * 1000.0) as i64)),
    }
}
