//! How a stage ends.

use anyhow::Error;

/// Why a stage ended before it was through.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Something from outside is absent: a tool, or a package registry.
    Skip(String),
    /// It ran and something is wrong.
    Fail(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Fail(error.into())
    }
}

/// What the summary says of a stage.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

impl Outcome {
    /// Judges a stage's end. Where `strict`, a skip counts as a failure.
    pub(crate) fn of(end: Result<(), Stop>, strict: bool) -> Self {
        match end {
            Ok(()) => Self::Passed,
            Err(Stop::Fail(error)) => Self::Failed(format!("{error:#}")),
            Err(Stop::Skip(reason)) if strict => {
                Self::Failed(format!("skipped, which is a failure here: {reason}"))
            }
            Err(Stop::Skip(reason)) => Self::Skipped(reason),
        }
    }

    /// The word for it in the summary.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "FAILED",
            Self::Skipped(_) => "SKIPPED",
        }
    }

    /// Why it did not pass; empty where it did.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Passed => "",
            Self::Failed(reason) | Self::Skipped(reason) => reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_is_a_failure_only_where_strict() {
        let skip = || Err(Stop::Skip("no chromium".to_owned()));
        assert_eq!(Outcome::of(skip(), false), Outcome::Skipped("no chromium".to_owned()));
        assert!(
            matches!(Outcome::of(skip(), true), Outcome::Failed(why) if why.contains("no chromium"))
        );
    }

    #[test]
    fn passes_and_failures_are_what_they_are() {
        for strict in [false, true] {
            assert_eq!(Outcome::of(Ok(()), strict), Outcome::Passed);
            let failed = Outcome::of(Err(anyhow::anyhow!("broken").into()), strict);
            assert_eq!(failed, Outcome::Failed("broken".to_owned()));
        }
    }
}
