//! A closed-loop load: a number of callers, each with one call in flight.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use crate::statistics::{Sample, micros};

/// One caller.
pub(crate) trait Caller: Send + 'static {
    /// Calls once and fails unless the response is as expected.
    fn call(&mut self) -> impl Future<Output = Result<()>> + Send;
}

/// The results of a load.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) calls: u64,
    pub(crate) elapsed: Duration,
    /// In microseconds.
    pub(crate) latency: Sample,
}

impl Load {
    /// Calls per second.
    pub(crate) fn rate(&self) -> f64 {
        self.calls as f64 / self.elapsed.as_secs_f64()
    }
}

/// Lets all callers call repeatedly until `time` is over; also returns the callers.
pub(crate) async fn run<C: Caller>(callers: Vec<C>, time: Duration) -> Result<(Load, Vec<C>)> {
    let began = Instant::now();
    let mut loops = JoinSet::new();
    for caller in callers {
        loops.spawn(one(caller, began, time));
    }
    let (mut callers, mut latencies) = (Vec::new(), Vec::new());
    while let Some(ended) = loops.join_next().await {
        let (caller, own) = ended??;
        callers.push(caller);
        latencies.extend(own);
    }
    let elapsed = began.elapsed();
    let calls = latencies.len() as u64;
    let latency = Sample::new(latencies).context("not one call was made")?;
    Ok((Load { calls, elapsed, latency }, callers))
}

async fn one<C: Caller>(mut caller: C, began: Instant, time: Duration) -> Result<(C, Vec<f64>)> {
    let mut latencies = Vec::new();
    let mut before = Instant::now();
    // At least one call, also if a busy machine starts this caller when the time is over.
    loop {
        caller.call().await?;
        let after = Instant::now();
        latencies.push(micros(after.duration_since(before)));
        before = after;
        if after.duration_since(began) >= time {
            return Ok((caller, latencies));
        }
    }
}
