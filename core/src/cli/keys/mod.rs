//! `keys`.

mod generate;
mod secret;
mod show;

use clap::Subcommand;

use super::context::{Context, Reply};
use super::failure::Failure;

/// Makes and shows keys and secrets.
#[derive(Debug, Subcommand)]
pub(super) enum Keys {
    Secret(secret::Secret),
    Generate(generate::Generate),
    Show(show::Show),
}

impl Keys {
    pub(super) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        match self {
            Self::Secret(command) => command.run(context),
            Self::Generate(command) => command.run(context),
            Self::Show(command) => command.run(context),
        }
    }
}
