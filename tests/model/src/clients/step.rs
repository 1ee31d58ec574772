//! The steps of a schedule.

use std::fmt;

use crate::sessions::Gap;

/// The outcome of an operation of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationOutcome {
    /// It succeeds.
    Succeeds,
    /// It fails and changes nothing. A request is lost.
    Fails,
    /// It takes effect, but is reported as failed. The response to a request is lost.
    DoneUnreported,
    /// The request times out, and arrives later.
    Late,
    /// The request succeeds, and a copy of it arrives later.
    Duplicated,
    /// The server replies that it is busy.
    Busy,
}

/// A step. Processes are numbered from 0.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ScheduleStep {
    /// A caller wants an access token.
    Want(usize),
    /// The server rejected the latest access token of this process, and its caller wants another.
    Unauthorized(usize),
    /// The oldest waiting caller gives up.
    Cancel(usize),
    /// The process is killed and restarted, and loses its memory. The operation in flight takes
    /// effect or does not.
    Kill {
        /// Which.
        process: usize,
        /// The write is done, the request arrives.
        done: bool,
    },
    /// What a process wanted done.
    Goes(usize, OperationOutcome),
    /// The process's timer fires.
    Wake(usize),
    /// Time passes.
    Wait(Gap),
    /// The access tokens expire.
    Expire,
    /// A late request, or a late copy of one, arrives.
    Arrives(usize),
}

impl fmt::Debug for ScheduleStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Want(process) => write!(f, "{process} wants"),
            Self::Unauthorized(process) => write!(f, "{process} is rejected"),
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
