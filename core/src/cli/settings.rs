//! Where the configuration comes from: a file, the environment, an argument.

use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::input;
use crate::config::{AuthConfig, SecretConfig};
use crate::types::SecretBytes;

/// The file that is read where none is named.
const DEFAULT_FILE: &str = "regrant.json";

const SECRET: &str = "REGRANT_SECRET";
const REFRESH_SECRET: &str = "REGRANT_REFRESH_SECRET";
const STORE: &str = "REGRANT_STORE";

/// The arguments that say where the configuration is.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Configuration")]
pub(super) struct Settings {
    /// The configuration in JSON, or - for standard input; by default regrant.json, if it is there.
    ///
    /// The environment has the last word about secrets, so that no file need hold them:
    /// REGRANT_SECRET, REGRANT_REFRESH_SECRET, and REGRANT_STORE for the store's address.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Where sessions live, in place of the configuration's store: file:PATH or redis://…
    ///
    /// Other users of this machine can see arguments: put an address with a password into
    /// REGRANT_STORE.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) store: Option<String>,
}

/// A configuration, and the names of what it was put together from.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) config: AuthConfig,
    pub(super) sources: Vec<String>,
}

impl Settings {
    /// Reads the configuration. Nothing in it is required yet.
    pub(super) fn load(&self) -> Result<Loaded, Failure> {
        let file = match &self.config {
            Some(path) => Some(path.as_path()),
            None => Some(Path::new(DEFAULT_FILE)).filter(|path| path.exists()),
        };
        let mut sources = Vec::new();
        let json = match file {
            Some(path) => {
                sources.push(source_name(path));
                input::text(path)?
            }
            None => "{}".to_owned(),
        };
        let mut config = AuthConfig::from_json(&json).map_err(|error| match file {
            Some(path) => Failure::from(error).at(&source_name(path)),
            None => error.into(),
        })?;
        let mut from_environment = |name: &str| {
            let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
            sources.push(name.to_owned());
            Some(value)
        };
        let secret = |text: String| SecretConfig(SecretBytes::new(text));
        if let Some(text) = from_environment(SECRET) {
            config.secret = Some(secret(text));
        }
        if let Some(text) = from_environment(REFRESH_SECRET) {
            config.refresh_secret = Some(secret(text));
        }
        if let Some(address) = from_environment(STORE) {
            config.store = Some(address);
        }
        if let Some(address) = &self.store {
            sources.push("--store".to_owned());
            config.store = Some(address.clone());
        }
        Ok(Loaded { config, sources })
    }

    /// Whether standard input is the configuration, and so cannot be anything else.
    pub(super) fn takes_stdin(&self) -> bool {
        self.config.as_deref() == Some(Path::new(input::STDIN))
    }
}

fn source_name(path: &Path) -> String {
    if path == Path::new(input::STDIN) {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    }
}

impl Loaded {
    /// Where the configuration came from, for people.
    pub(super) fn origin(&self) -> String {
        if self.sources.is_empty() {
            format!("no {DEFAULT_FILE} here, and nothing in the environment")
        } else {
            self.sources.join(", ")
        }
    }
}
