//! `sessions`.

mod list;
mod revoke;

use std::time::Duration;

use clap::Subcommand;

use super::context::{Context, Reply};
use super::failure::Failure;
use super::settings::Settings;
use super::store;
use crate::auth::SessionAdmin;

/// Lists and ends the sessions of a user. Needs a store and no secret.
#[derive(Debug, Subcommand)]
pub(super) enum Sessions {
    List(list::List),
    Revoke(revoke::Revoke),
}

/// Whoever runs this may not know how long the servers' access tokens live. Too short a time would
/// let them pass again; a longer one costs the servers a few bytes for each session.
const TELLING_FOR: Duration = Duration::from_secs(24 * 3600);

impl Sessions {
    pub(super) fn run(&self, context: &Context) -> Result<Reply, Failure> {
        match self {
            Self::List(command) => command.run(context),
            Self::Revoke(command) => command.run(context),
        }
    }
}

fn admin(settings: &Settings) -> Result<SessionAdmin, Failure> {
    let config = settings.load()?.config;
    store::existing(&config)?;
    Ok(config.session_admin()?.publish_for_at_least(TELLING_FOR))
}
