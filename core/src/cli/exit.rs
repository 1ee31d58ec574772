//! How the command ends.

/// The exit status. Its numbers never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Exit {
    /// The answer is yes, or what was asked for is done.
    Yes = 0,
    /// The answer is no: the token is refused, the store is not well, there is no such session.
    No = 1,
    /// The command or the configuration is wrong.
    Usage = 2,
    /// The store, a file or another outside party could not be asked.
    Unavailable = 3,
    /// It was interrupted (SIGINT), as shells number it.
    Interrupted = 130,
}

impl Exit {
    /// The number.
    pub const fn status(self) -> u8 {
        self as u8
    }
}
