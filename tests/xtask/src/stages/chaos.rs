//! `chaos`: every kind of fault once. (That the file store survives kills is among the Rust tests.)

use crate::commands;
use crate::outcome::Stop;

pub(super) fn run() -> Result<(), Stop> {
    Ok(commands::chaos::quick()?)
}
