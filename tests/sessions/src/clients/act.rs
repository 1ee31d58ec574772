//! What can happen, one thing at a time.

use std::fmt;

use crate::model::Gap;

/// What becomes of something that a process wanted done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It goes well.
    Well,
    /// It fails and has changed nothing. For a request: it is lost on the way.
    Fails,
    /// It is done, and the process is told that it failed. For a request: the answer is lost.
    DoneUntold,
    /// The request is given up, and arrives later.
    Late,
    /// The request is answered, and a copy of it arrives later.
    Doubled,
    /// The server is busy and says so.
    Busy,
}

/// What happens. Processes are counted from 0.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// A caller wants an access token.
    Want(usize),
    /// The server refused the access token that this process was last given, and its caller wants
    /// another.
    Unauthorized(usize),
    /// The oldest caller that waits gives up.
    Cancel(usize),
    /// The process is ended and started again: all that it had in memory is gone. What was under
    /// way happens nevertheless or does not.
    Kill {
        /// Which.
        process: usize,
        /// The write is done, the request arrives.
        done: bool,
    },
    /// What a process wanted done.
    Goes(usize, Outcome),
    /// The process is woken when it wanted to be.
    Wake(usize),
    /// Time passes.
    Wait(Gap),
    /// The access tokens expire.
    Expire,
    /// A late request, or a late copy of one, arrives.
    Arrives(usize),
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Want(process) => write!(f, "{process} wants"),
            Self::Unauthorized(process) => write!(f, "{process} is refused"),
            Self::Cancel(process) => write!(f, "{process} cancels"),
            Self::Kill { process, done: false } => write!(f, "{process} is killed"),
            Self::Kill { process, done: true } => write!(f, "{process} is killed after it"),
            Self::Goes(process, outcome) => write!(f, "{process} {outcome:?}"),
            Self::Wake(process) => write!(f, "{process} wakes"),
            Self::Wait(gap) => write!(f, "{gap:?}"),
            Self::Expire => f.write_str("expire"),
            Self::Arrives(which) => write!(f, "late {which} arrives"),
        }
    }
}
