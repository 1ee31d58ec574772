//! One benchmark per file or folder.

mod core;
mod express;
mod file;
mod latency;
mod memory;
mod peers;
mod revocation;
mod rotation;
mod verify;

use anyhow::Result;

use crate::context::Context;
use crate::report::Report;

/// One benchmark.
pub(crate) struct Benchmark {
    /// The name on the command line.
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Context) -> Result<Report>,
}

/// All benchmarks, in the order of the results page.
pub(crate) const ALL: &[Benchmark] = &[
    Benchmark { name: "core", run: core::run },
    Benchmark { name: "verify", run: verify::run },
    Benchmark { name: "express", run: express::run },
    Benchmark { name: "rotation", run: rotation::redis::run },
    Benchmark { name: "postgres", run: rotation::postgres::run },
    Benchmark { name: "file", run: file::run },
    Benchmark { name: "latency", run: latency::run },
    Benchmark { name: "memory", run: memory::run },
    Benchmark { name: "revocation", run: revocation::run },
    Benchmark { name: "peers", run: peers::run },
];
