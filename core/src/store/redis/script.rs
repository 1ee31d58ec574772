//! The Lua scripts: their texts, put together from pieces and from constants of this crate, and
//! their arguments.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::time::Duration;

use redis::Cmd;

use crate::revocation::{MAX_FEED_BYTES, MAX_FEED_ENTRIES};
use crate::session::{Record, ReuseEvidence, layout};
use crate::types::{Generation, RevocationReason, SessionId, Timestamp};

/// How far the clocks of processes and server may differ before entries of the feed are dropped too early.
pub(super) const CLOCK_MARGIN: Duration = Duration::from_secs(300);

/// The words by which scripts reply; the scripts know them as constants of the same names.
pub(super) mod reply {
    pub(crate) const ROTATE: &str = "rotate";
    pub(crate) const REPLAY: &str = "replay";
    pub(crate) const RENEW: &str = "renew";
    pub(crate) const SUPERSEDED: &str = "superseded";
    pub(crate) const EXPIRED: &str = "expired";
    pub(crate) const REUSE: &str = "reuse";
    pub(crate) const REVOKED: &str = "revoked";
    pub(crate) const ALREADY_REVOKED: &str = "already_revoked";
    pub(crate) const UNKNOWN: &str = "unknown";
    pub(crate) const CHILD_IN_USE: &str = "child_in_use";
    pub(crate) const UNCHANGED: &str = "unchanged";

    pub(crate) const ALL: [(&str, &str); 11] = [
        ("ROTATE", ROTATE),
        ("REPLAY", REPLAY),
        ("RENEW", RENEW),
        ("SUPERSEDED", SUPERSEDED),
        ("EXPIRED", EXPIRED),
        ("REUSE", REUSE),
        ("REVOKED", REVOKED),
        ("ALREADY_REVOKED", ALREADY_REVOKED),
        ("UNKNOWN", UNKNOWN),
        ("CHILD_IN_USE", CHILD_IN_USE),
        ("UNCHANGED", UNCHANGED),
    ];
}

/// The constants that the scripts share with Rust, as Lua.
fn constants() -> String {
    let instant = layout::INSTANT_BYTES;
    let head = format!(
        ">BBBI{}c{}I{instant}I{instant}I{instant}",
        size_of::<Generation>(),
        layout::ID_BYTES
    );
    let numbers = [
        // The layout of encoded records.
        ("VERSION", i64::from(layout::VERSION)),
        ("HAS_CHILD", i64::from(layout::HAS_CHILD)),
        ("CHILD_USED", i64::from(layout::CHILD_USED)),
        ("HAS_BRANCH", i64::from(layout::HAS_BRANCH)),
        ("HAS_CONFIRMED_AT", i64::from(layout::HAS_CONFIRMED_AT)),
        ("MIGRATED", i64::from(layout::MIGRATED)),
        ("LIVE", i64::from(layout::LIVE)),
        ("REUSED", i64::from(RevocationReason::Reused.number())),
        ("EVICTED", i64::from(RevocationReason::Displaced.number())),
        ("LAST_INSTANT", Record::MAX_TIMESTAMP.as_millis()),
        ("LAST_BRANCH", i64::from(u32::MAX)),
        ("RETENTION", i64::try_from(Record::RETENTION.as_millis()).unwrap_or(i64::MAX)),
        ("SESSION_ID_BYTES", size_of::<SessionId>() as i64),
    ];
    let formats = [
        ("HEAD_FORMAT", head),
        ("INSTANT_FORMAT", format!(">I{instant}")),
        ("BRANCH_FORMAT", format!(">I{}", size_of::<u32>())),
    ];
    let evidence = [
        ("FORK", ReuseEvidence::Fork),
        ("PARENT_RETURNED", ReuseEvidence::ParentReturned),
        ("DISCARDED_BRANCH", ReuseEvidence::DiscardedBranch),
        ("OLDER_TOKEN", ReuseEvidence::OlderToken),
    ];
    let mut lua = String::new();
    // Writing to a string does not fail.
    let mut local = |name: &str, value: &dyn fmt::Display| {
        let _ = writeln!(lua, "local {name} = {value}");
    };
    for (name, number) in numbers {
        local(name, &number);
    }
    for (name, format) in formats {
        local(name, &format_args!("'{format}'"));
    }
    for (name, evidence) in evidence {
        local(name, &format_args!("'{}'", evidence.as_str()));
    }
    for (name, word) in reply::ALL {
        local(name, &format_args!("'{word}'"));
    }
    lua
}

/// A script of one key.
pub(super) struct Script {
    text: String,
    /// The SHA-1 of the text, by which Redis knows it.
    sha1: String,
}

impl Script {
    fn new(text: String) -> Self {
        let sha1 = redis::Script::new(&text).get_hash().to_owned();
        Self { text, sha1 }
    }

    /// Calls the script by its hash. A server that does not have it replies `NOSCRIPT`.
    pub(super) fn evalsha(&self, key: &[u8], arguments: &Arguments, deadline: Option<i64>) -> Cmd {
        call("EVALSHA", &self.sha1, key, arguments, deadline)
    }

    /// Calls the script by its text, which the server then keeps.
    pub(super) fn eval(&self, key: &[u8], arguments: &Arguments, deadline: Option<i64>) -> Cmd {
        call("EVAL", &self.text, key, arguments, deadline)
    }
}

/// The longest text of a 64-bit number.
const DIGITS: usize = 20;

fn call(
    command: &str,
    script: &str,
    key: &[u8],
    arguments: &Arguments,
    deadline: Option<i64>,
) -> Cmd {
    // Beside the arguments: the command, the script, the number of keys, the key, and the deadline.
    let (words, bytes) = (5, command.len() + script.len() + key.len() + DIGITS);
    let mut call = Cmd::with_capacity(arguments.ends.len() + words, arguments.bytes.len() + bytes);
    call.arg(command).arg(script).arg(1).arg(key);
    arguments.for_each(|argument| {
        call.arg(argument);
    });
    if let Some(deadline) = deadline {
        call.arg(deadline);
    }
    call
}

/// One script per operation.
pub(super) struct Scripts {
    pub(super) create: Script,
    pub(super) refresh: Script,
    pub(super) record_use: Script,
    pub(super) set_claims: Script,
    pub(super) revoke: Script,
    pub(super) revoke_all: Script,
    pub(super) list: Script,
    pub(super) import: Script,
    pub(super) find: Script,
    pub(super) count_failure: Script,
}

/// The scripts of the feed.
pub(super) struct FeedScripts {
    pub(super) publish: Script,
    pub(super) has: Script,
    pub(super) now: Script,
}

macro_rules! pieces {
    ($($piece:literal),*) => {
        concat!($(include_str!(concat!("lua/", $piece, ".lua"))),*)
    };
}

impl Scripts {
    pub(super) fn new() -> Self {
        let constants = constants();
        let script = |pieces: &str| Script::new(format!("{constants}{pieces}"));
        Self {
            create: script(pieces!("clock", "record", "sessions", "session_limit", "op_create")),
            refresh: script(pieces!(
                "on_primary",
                "clock",
                "record",
                "sessions",
                "step",
                "op_refresh"
            )),
            record_use: script(pieces!(
                "on_primary",
                "clock",
                "record",
                "sessions",
                "op_record_use"
            )),
            set_claims: script(pieces!(
                "on_primary",
                "clock",
                "record",
                "sessions",
                "op_set_claims"
            )),
            revoke: script(pieces!("on_primary", "clock", "record", "op_revoke")),
            revoke_all: script(pieces!(
                "on_primary",
                "clock",
                "record",
                "sessions",
                "op_revoke_all"
            )),
            list: script(pieces!("on_primary", "clock", "record", "sessions", "op_list")),
            import: script(pieces!("on_primary", "clock", "record", "sessions", "op_import")),
            find: script(pieces!("on_primary", "clock", "record", "sessions", "op_find")),
            count_failure: Script::new(pieces!("clock", "op_count_failure").to_owned()),
        }
    }
}

impl FeedScripts {
    pub(super) fn new() -> Self {
        Self {
            publish: Script::new(format!(
                "local MAX_ENTRIES = {MAX_FEED_ENTRIES}\nlocal MAX_BYTES = {MAX_FEED_BYTES}\nlocal CLOCK_MARGIN = {}\n{}",
                CLOCK_MARGIN.as_millis(),
                pieces!("feed_on_primary", "clock", "op_publish")
            )),
            has: Script::new(pieces!("feed_on_primary", "op_feed_has").to_owned()),
            now: Script::new(pieces!("clock", "op_now").to_owned()),
        }
    }
}

/// The arguments of one call, in one buffer.
pub(super) struct Arguments {
    bytes: Vec<u8>,
    /// Where each argument ends.
    ends: Vec<usize>,
}

impl Arguments {
    /// No arguments, with capacity for those of a refresh.
    pub(super) fn new() -> Self {
        Self { bytes: Vec::with_capacity(192), ends: Vec::with_capacity(16) }
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend_from_slice(bytes);
        self.end()
    }

    pub(super) fn text(mut self, value: impl fmt::Display) -> Self {
        // Writing to a vector does not fail.
        let _ = write!(self.bytes, "{value}");
        self.end()
    }

    /// `1` or `0`.
    pub(super) fn flag(self, flag: bool) -> Self {
        self.text(u8::from(flag))
    }

    /// A duration in milliseconds.
    pub(super) fn duration(self, duration: Duration) -> Self {
        self.text(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    /// An instant in milliseconds since 1970; empty for none.
    pub(super) fn instant(self, instant: Option<Timestamp>) -> Self {
        match instant {
            Some(instant) => self.text(instant.as_millis()),
            None => self.end(),
        }
    }

    fn end(mut self) -> Self {
        self.ends.push(self.bytes.len());
        self
    }

    fn for_each(&self, mut visit: impl FnMut(&[u8])) {
        let mut begin = 0;
        for &end in &self.ends {
            visit(self.bytes.get(begin..end).unwrap_or_default());
            begin = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_the_script_the_key_and_the_arguments_in_order() {
        let script = Script { text: "return 1".to_owned(), sha1: "n".to_owned() };
        let arguments = Arguments::new()
            .instant(None)
            .bytes(b"\0\xff")
            .text(-7)
            .duration(Duration::from_secs(2))
            .bytes(b"")
            .instant(Some(Timestamp::from_millis(9)));
        let mut expected = redis::cmd("EVALSHA");
        expected.arg("n").arg(1).arg("key").arg("").arg(b"\0\xff").arg("-7").arg("2000");
        expected.arg("").arg("9");
        let call = script.evalsha(b"key", &arguments, None);
        assert_eq!(call.get_packed_command(), expected.get_packed_command());
        expected.arg("12");
        let call = script.evalsha(b"key", &arguments, Some(12));
        assert_eq!(call.get_packed_command(), expected.get_packed_command());
    }

    #[test]
    fn the_record_layout_reaches_the_scripts() {
        let lua = constants();
        for line in [
            "local HEAD_FORMAT = '>BBBI4c16I6I6I6'",
            "local LAST_INSTANT = 281474976710655",
            "local LAST_BRANCH = 4294967295",
            "local SESSION_ID_BYTES = 16",
            "local REUSED = 3",
            "local EVICTED = 5",
        ] {
            assert!(lua.lines().any(|it| it == line), "{line}");
        }
    }
}
