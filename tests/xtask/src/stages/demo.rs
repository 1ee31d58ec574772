//! `demo`: the command that newcomers run first ends with a page.

use crate::commands;
use crate::outcome::Stop;

pub(super) fn run() -> Result<(), Stop> {
    commands::demo::check()
}
