//! Which of a user's old tokens are ended, shown or not: "log out everywhere".

use std::fmt;

use crate::error::{Error, Result};
use crate::types::{SessionId, Timestamp};

/// All tokens that the old app gave a user up to an instant, but perhaps one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedBefore {
    /// Those that were issued up to this instant.
    pub until: Timestamp,
    /// Not the one that this session is made of: "everywhere but here".
    pub except: Option<SessionId>,
}

impl RevokedBefore {
    /// Whether the token that was issued at `issued_at`, and from which `session` is made, is
    /// ended.
    pub fn covers(&self, session: &SessionId, issued_at: Timestamp) -> bool {
        issued_at <= self.until && self.except.as_ref() != Some(session)
    }
}

impl fmt::Display for RevokedBefore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.until.as_millis())?;
        self.except.map_or(Ok(()), |session| write!(f, " {session}"))
    }
}

impl std::str::FromStr for RevokedBefore {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let damaged = || Error::internal("the note of a user's ended tokens is damaged");
        let (until, except) = match text.split_once(' ') {
            Some((until, session)) => (until, Some(session.parse().map_err(|_| damaged())?)),
            None => (text, None),
        };
        let until = until.parse().map_err(|_| damaged())?;
        Ok(Self { until: Timestamp::from_millis(until), except })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let until = Timestamp::from_millis(1_800_000_000_123);
        for except in [None, Some(SessionId::from_bytes([7; 16]))] {
            let ended = RevokedBefore { until, except };
            assert_eq!(ended.to_string().parse::<RevokedBefore>().unwrap(), ended);
        }
        for bad in ["", "x", "1 ", "1 x"] {
            assert!(matches!(bad.parse::<RevokedBefore>(), Err(Error::Internal { .. })), "{bad:?}");
        }
    }
}
