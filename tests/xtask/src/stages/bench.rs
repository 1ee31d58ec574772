//! `bench`: the benchmarks still run; their figures are not looked at.

use crate::commands;
use crate::outcome::Stop;

pub(super) fn run() -> Result<(), Stop> {
    commands::bench::smoke(&[])
}
