//! The context of every benchmark.

use std::future::Future;

use anyhow::Result;
use tokio::runtime::Runtime;

use crate::plan::Plan;
use crate::progress::Progress;

pub(crate) struct Context {
    pub(crate) plan: Plan,
    pub(crate) progress: Progress,
    runtime: Runtime,
}

impl Context {
    /// A context with a runtime like that of `#[tokio::main]`: one thread per core.
    pub(crate) fn new(plan: Plan) -> Result<Self> {
        let runtime = Runtime::new()?;
        Ok(Self { plan, progress: Progress::start(), runtime })
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}
