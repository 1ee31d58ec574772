//! What the arguments name: the configuration, the store, files and standard input, and values of core types.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use regrant::config::{AuthConfig, SecretConfig};
use regrant::error::Error;
use regrant::keys::{Algorithm, KeyId};
use regrant::types::{SecretBytes, SessionId, Subject};

use crate::Failure;

/// The file that is read where none is named.
const DEFAULT_FILE: &str = "regrant.json";

const SECRET: &str = "REGRANT_SECRET";
const REFRESH_SECRET: &str = "REGRANT_REFRESH_SECRET";
const STORE: &str = "REGRANT_STORE";

/// The arguments that say where the configuration is.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct Settings {
    /// The configuration in JSON, or - for standard input; by default regrant.json, if it is there.
    ///
    /// The environment has the last word about secrets, so that no file need hold them:
    /// REGRANT_SECRET, REGRANT_REFRESH_SECRET, and REGRANT_STORE for the store's address.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where sessions live, in place of the configuration's store: file:PATH or redis://…
    ///
    /// Other users of this machine can see arguments: put an address with a password into
    /// REGRANT_STORE.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) store: Option<String>,
}

/// A configuration, and the names of what it was put together from.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: AuthConfig,
    pub(crate) sources: Vec<String>,
}

impl Settings {
    /// Reads the configuration. Nothing in it is required yet.
    pub(crate) fn load(&self) -> Result<Loaded, Failure> {
        let file = match &self.config {
            Some(path) => Some(path.as_path()),
            None => Some(Path::new(DEFAULT_FILE)).filter(|path| path.exists()),
        };
        let mut sources = Vec::new();
        let json = match file {
            Some(path) => {
                sources.push(source_name(path));
                read_text(path)?
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
    pub(crate) fn takes_stdin(&self) -> bool {
        self.config.as_deref() == Some(Path::new(STDIN))
    }
}

fn source_name(path: &Path) -> String {
    if path == Path::new(STDIN) { "standard input".to_owned() } else { path.display().to_string() }
}

impl Loaded {
    /// Where the configuration came from, for people.
    pub(crate) fn origin(&self) -> String {
        if self.sources.is_empty() {
            format!("no {DEFAULT_FILE} here, and nothing in the environment")
        } else {
            self.sources.join(", ")
        }
    }
}

/// Whether the configured store is the memory of whoever opens it.
fn is_private(config: &AuthConfig) -> bool {
    config.has_memory_store()
}

/// Whether there is a store to ask: one that other processes share, and that was named, or is
/// where it is looked for by default.
pub(crate) fn has_shared_store(config: &AuthConfig) -> bool {
    let named_or_found =
        config.store.is_some() || config.store_address().file_path().is_none_or(Path::exists);
    named_or_found && !is_private(config)
}

/// Refuses what this command would have to make up: a store in its own memory, or a new file.
pub(crate) fn require_existing_store(config: &AuthConfig) -> Result<(), Failure> {
    if is_private(config) {
        let problem = "store: is required, by --store, REGRANT_STORE or the configuration; sessions in memory are seen by their own process alone";
        return Err(Failure::usage(problem));
    }
    match config.store_address().file_path() {
        Some(path) if !path.exists() => {
            Err(Failure::usage(format!("store: there is no file {}", path.display())))
        }
        _ => Ok(()),
    }
}

/// What stands for standard input.
pub(crate) const STDIN: &str = "-";

/// More than any configuration, key or token has.
const MOST_BYTES: u64 = 16 << 20;

/// The text of a file, or of standard input.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    let (name, outcome) = if path == Path::new(STDIN) {
        ("standard input".to_owned(), read(io::stdin().lock()))
    } else {
        (path.display().to_string(), File::open(path).and_then(read))
    };
    outcome.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::usage("there is no such file").at(&name),
        io::ErrorKind::InvalidData => Failure::usage("is not text, or too large").at(&name),
        _ => Failure::outside(format!("cannot be read: {error}")).at(&name),
    })
}

fn read(input: impl Read) -> io::Result<String> {
    let mut text = String::new();
    let length = input.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if length as u64 > MOST_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(text)
}

/// A token: the argument itself, or what standard input holds. A scheme `Bearer` and white space
/// around it, as they come with copying from a header, are dropped.
pub(crate) fn read_token(argument: &str) -> Result<String, Failure> {
    let given = if argument == STDIN { read_text(Path::new(STDIN))? } else { argument.to_owned() };
    let bare = given.trim();
    let bare = match bare.split_once(char::is_whitespace) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
        _ => bare,
    };
    if bare.is_empty() {
        return Err(Failure::usage("there is no token"));
    }
    Ok(bare.to_owned())
}

/// What is wrong, without the field that it would be wrong in.
fn problem(error: Error) -> String {
    match error {
        Error::ConfigInvalid { problem, .. } => problem,
        other => other.to_string(),
    }
}

pub(crate) fn parse_algorithm(text: &str) -> Result<Algorithm, String> {
    Algorithm::from_str(text).map_err(problem)
}

pub(crate) fn parse_subject(text: &str) -> Result<Subject, String> {
    let expected = format!("expected 1 to {} bytes without control characters", Subject::MAX_BYTES);
    Subject::new(text).map_err(|_| expected)
}

pub(crate) fn parse_session(text: &str) -> Result<SessionId, String> {
    text.parse().map_err(|_| "expected a session id: 22 characters of base64url".to_owned())
}

pub(crate) fn parse_key_id(text: &str) -> Result<KeyId, String> {
    KeyId::from_str(text).map_err(problem)
}
