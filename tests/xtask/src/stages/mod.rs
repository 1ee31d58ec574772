//! The stages of `test`, in the order in which they run: what is quick and often wrong comes first.

mod bench;
mod bindgen;
mod chaos;
pub(crate) mod clients;
mod clippy;
mod demo;
mod doc;
mod fmt;
pub(crate) mod kotlin;
pub(crate) mod node;
mod rust;
pub(crate) mod swift;

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
    Stage { name: "clients", needs: &[Tool::Node], run: clients::run },
    Stage { name: "kotlin", needs: &[Tool::Jdk, Tool::Maven, Tool::Node], run: kotlin::run },
    Stage { name: "swift", needs: &[Tool::Swift, Tool::Node], run: swift::run },
    Stage { name: "demo", needs: &[Tool::Node], run: demo::run },
];
