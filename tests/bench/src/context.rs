//! What every benchmark is given.

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
    /// With a runtime as `#[tokio::main]` makes it: as many threads as cores.
    pub(crate) fn new(plan: Plan) -> Result<Self> {
        let runtime = Runtime::new()?;
        Ok(Self { plan, progress: Progress::start(), runtime })
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}
