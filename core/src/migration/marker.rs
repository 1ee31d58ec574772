//! The note that a token was taken over. It names the session and the user, never the token.

use std::fmt;

use crate::error::{Error, Result};
use crate::types::{Subject, Timestamp};

/// Where the key of a token that was taken over is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Still there for the old processes: when it is gone, one of them logged the user out.
    Kept,
    /// Removed by a sweep: that it is gone means nothing.
    Swept,
}

/// The note that a token was taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationMarker {
    /// Where the old key is.
    pub place: Place,
    /// When the session ends, whatever happens.
    pub expires_at: Timestamp,
    /// The user, as resolved when the token was taken over.
    pub subject: Subject,
}

impl fmt::Display for MigrationMarker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.place {
            Place::Kept => "kept",
            Place::Swept => "swept",
        };
        write!(f, "{place} {} {}", self.expires_at.as_millis(), self.subject)
    }
}

impl std::str::FromStr for MigrationMarker {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let damaged = || Error::internal("the note of an adopted token is damaged");
        let mut parts = text.splitn(3, ' ');
        let mut next = || parts.next().ok_or_else(damaged);
        let place = match next()? {
            "kept" => Place::Kept,
            "swept" => Place::Swept,
            _ => return Err(damaged()),
        };
        let expires_at = next()?.parse().map_err(|_| damaged())?;
        let subject = Subject::new(next()?).map_err(|_| damaged())?;
        Ok(Self { place, expires_at: Timestamp::from_millis(expires_at), subject })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for place in [Place::Kept, Place::Swept] {
            let expires_at = Timestamp::from_millis(1_800_000_000_123);
            let mark =
                MigrationMarker { place, expires_at, subject: Subject::new("a b@c 가").unwrap() };
            assert_eq!(mark.to_string().parse::<MigrationMarker>().unwrap(), mark);
        }
        for bad in ["", "kept", "kept 1", "kept 1 ", "kept x u", "other 1 u"] {
            assert!(
                matches!(bad.parse::<MigrationMarker>(), Err(Error::Internal { .. })),
                "{bad:?}"
            );
        }
    }
}
