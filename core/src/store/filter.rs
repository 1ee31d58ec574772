//! Which sessions of a user are meant.

use crate::types::{SessionId, Timestamp};

use super::StoredSession;

/// Which sessions of a user are meant; the default is all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Not this one: "everywhere but here".
    pub except: Option<SessionId>,
    /// Only those that began before this instant: "from before the password was changed".
    pub created_before: Option<Timestamp>,
}

impl SessionFilter {
    /// All sessions.
    pub const ALL: Self = Self { except: None, created_before: None };

    /// Whether this session is meant.
    pub fn matches(&self, stored: &StoredSession) -> bool {
        self.except != Some(stored.id)
            && self.created_before.is_none_or(|before| stored.record.created_at < before)
    }
}
