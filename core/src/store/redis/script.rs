//! The scripts, each put together from the pieces that it needs, and their arguments.

use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use redis::Cmd;

use crate::types::Timestamp;

/// A script of one key.
pub(super) struct Script {
    text: &'static str,
    /// The name that Redis has for it: the SHA-1 of its text.
    name: String,
}

impl Script {
    fn new(text: &'static str) -> Self {
        Self { text, name: redis::Script::new(text).get_hash().to_owned() }
    }

    /// Calls it by name; a server that does not know it says `NOSCRIPT`.
    pub(super) fn by_name(&self, key: &[u8], arguments: &Arguments, last: Option<i64>) -> Cmd {
        call("EVALSHA", &self.name, key, arguments, last)
    }

    /// Calls it with its text, and makes its name known.
    pub(super) fn in_full(&self, key: &[u8], arguments: &Arguments, last: Option<i64>) -> Cmd {
        call("EVAL", self.text, key, arguments, last)
    }
}

fn call(how: &str, what: &str, key: &[u8], arguments: &Arguments, last: Option<i64>) -> Cmd {
    // How it is called, what, how many keys, the key, and the last.
    let (others, room) = (5, how.len() + what.len() + key.len() + DIGITS);
    let mut call = Cmd::with_capacity(arguments.ends.len() + others, arguments.bytes.len() + room);
    call.arg(how).arg(what).arg(1).arg(key);
    arguments.each(|argument| {
        call.arg(argument);
    });
    if let Some(last) = last {
        call.arg(last);
    }
    call
}

/// The longest text of a number of 64 bits.
const DIGITS: usize = 20;

/// One script per operation.
pub(super) struct Scripts {
    pub(super) create: Script,
    pub(super) refresh: Script,
    pub(super) confirm: Script,
    pub(super) revoke: Script,
    pub(super) revoke_all: Script,
    pub(super) list: Script,
    pub(super) fail: Script,
    pub(super) tell: Script,
    pub(super) now: Script,
}

macro_rules! script {
    ($($piece:literal),*) => {
        Script::new(concat!($(include_str!(concat!("lua/", $piece, ".lua"))),*))
    };
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            create: script!("record", "clock", "sessions", "room", "op_create"),
            refresh: script!("record", "clock", "sessions", "step", "op_refresh"),
            confirm: script!("record", "clock", "sessions", "op_confirm"),
            revoke: script!("record", "clock", "op_revoke"),
            revoke_all: script!("record", "clock", "sessions", "op_revoke_all"),
            list: script!("record", "clock", "sessions", "op_list"),
            fail: script!("clock", "op_fail"),
            tell: script!("clock", "op_tell"),
            now: script!("clock", "op_now"),
        }
    }
}

/// The arguments of one call, in order, one after the other.
pub(super) struct Arguments {
    bytes: Vec<u8>,
    /// Where each one ends.
    ends: Vec<usize>,
}

impl Arguments {
    /// With room for those of a refresh.
    pub(super) fn new() -> Self {
        Self { bytes: Vec::with_capacity(192), ends: Vec::with_capacity(16) }
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self.ended()
    }

    pub(super) fn text(mut self, value: impl fmt::Display) -> Self {
        // Writing to memory does not fail.
        let _ = write!(self.bytes, "{value}");
        self.ended()
    }

    pub(super) fn span(self, span: Duration) -> Self {
        self.text(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }

    /// An instant, or the empty text for none.
    pub(super) fn instant(self, instant: Option<Timestamp>) -> Self {
        match instant {
            Some(instant) => self.text(instant.as_millis()),
            None => self.ended(),
        }
    }

    fn ended(mut self) -> Self {
        self.ends.push(self.bytes.len());
        self
    }

    fn each(&self, mut see: impl FnMut(&[u8])) {
        let mut begin = 0;
        for &end in &self.ends {
            see(self.bytes.get(begin..end).unwrap_or_default());
            begin = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_as_it_goes_to_the_server() {
        let script = Script { text: "return 1", name: "n".to_owned() };
        let arguments = Arguments::new()
            .instant(None)
            .bytes(b"\0\xff")
            .text(-7)
            .span(Duration::from_secs(2))
            .bytes(b"")
            .instant(Some(Timestamp::from_millis(9)));
        let mut expected = redis::cmd("EVALSHA");
        expected.arg("n").arg(1).arg("key").arg("").arg(b"\0\xff").arg("-7").arg("2000");
        expected.arg("").arg("9");
        let by_name = script.by_name(b"key", &arguments, None);
        assert_eq!(by_name.get_packed_command(), expected.get_packed_command());
        expected.arg("12");
        let by_name = script.by_name(b"key", &arguments, Some(12));
        assert_eq!(by_name.get_packed_command(), expected.get_packed_command());
    }
}
