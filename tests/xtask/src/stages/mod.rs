//! The stages of `test`, in the order in which they run: what is quick and often wrong comes first.

mod bench;
mod bindgen;
mod chaos;
mod clippy;
mod demo;
mod doc;
mod fmt;
mod kotlin;
pub(crate) mod node;
mod rust;
mod swift;

use crate::commands;
use crate::outcome::Stop;
use crate::tools::Tool;

/// One stage of `test`.
pub(crate) struct Stage {
    /// What `--only` and the summary call it.
    pub(crate) name: &'static str,
    /// What it needs beside Cargo. Without it the stage is skipped.
    pub(crate) needs: &'static [Tool],
    /// Runs it.
    pub(crate) run: fn() -> Result<(), Stop>,
}

/// All stages.
pub(crate) const ALL: &[Stage] = &[
    Stage { name: "fmt", needs: &[Tool::Rustfmt], run: fmt::run },
    Stage { name: "clippy", needs: &[Tool::Clippy], run: clippy::run },
    Stage { name: "rust", needs: &[Tool::RedisServer], run: rust::run },
    Stage { name: "doc", needs: &[], run: doc::run },
    Stage { name: "node", needs: &[Tool::Node, Tool::RedisServer], run: node::run },
    Stage { name: "browser", needs: &[Tool::Node, Tool::Chromium], run: node::browser },
    Stage { name: "bench", needs: commands::bench::NEEDS, run: bench::run },
    Stage { name: "chaos", needs: commands::chaos::NEEDS, run: chaos::run },
    Stage { name: "kotlin", needs: &[Tool::Jdk, Tool::Maven], run: kotlin::run },
    Stage { name: "swift", needs: &[Tool::Swift], run: swift::run },
    Stage { name: "demo", needs: &[Tool::Node], run: demo::run },
];
