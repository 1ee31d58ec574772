//! `token`.

mod check;
mod decode;
mod explain;
mod kind;

use clap::Subcommand;

use super::context::{Context, Reply};
use super::failure::Failure;

/// Looks into tokens, and checks them.
#[derive(Debug, Subcommand)]
pub(super) enum Token {
    Decode(decode::Decode),
    Check(check::Check),
}

impl Token {
    pub(super) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        match self {
            Self::Decode(command) => command.run(context),
            Self::Check(command) => command.run(context),
        }
    }
}
