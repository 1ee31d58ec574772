//! The scripts, each put together from the pieces that it needs, and their arguments.

use std::fmt;
use std::time::Duration;

use redis::{Cmd, cmd};

use crate::time::Timestamp;

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
    let mut call = cmd(how);
    call.arg(what).arg(1).arg(key);
    for argument in &arguments.0 {
        call.arg(argument.as_slice());
    }
    if let Some(last) = last {
        call.arg(last);
    }
    call
}

/// One script per operation.
pub(super) struct Scripts {
    pub(super) create: Script,
    pub(super) refresh: Script,
    pub(super) confirm: Script,
    pub(super) revoke: Script,
    pub(super) revoke_all: Script,
    pub(super) list: Script,
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
            tell: script!("clock", "op_tell"),
            now: script!("clock", "op_now"),
        }
    }
}

/// The arguments of one call, in order.
pub(super) struct Arguments(pub(super) Vec<Vec<u8>>);

impl Arguments {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(12))
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.push(bytes.to_vec());
        self
    }

    pub(super) fn text(self, value: impl fmt::Display) -> Self {
        self.bytes(value.to_string().as_bytes())
    }

    pub(super) fn span(self, span: Duration) -> Self {
        self.text(span.as_millis())
    }

    /// An instant, or the empty text for none.
    pub(super) fn instant(self, instant: Option<Timestamp>) -> Self {
        match instant {
            Some(instant) => self.text(instant.as_millis()),
            None => self.bytes(b""),
        }
    }
}
