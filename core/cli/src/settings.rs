//! Inputs: the configuration and its sources, files, standard input, and parsers for arguments.

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

/// The configuration file that is read if none is given.
const DEFAULT_FILE: &str = "regrant.json";

const SECRET: &str = "REGRANT_SECRET";
const REFRESH_SECRET: &str = "REGRANT_REFRESH_SECRET";
pub(crate) const STORE: &str = "REGRANT_STORE";
pub(crate) const PREVIOUS_STORE: &str = "REGRANT_PREVIOUS_STORE";

/// The arguments for the configuration.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Configuration")]
pub(crate) struct Settings {
    /// The configuration file in JSON, or - for standard input. By default regrant.json, if it exists.
    ///
    /// The environment variables REGRANT_SECRET, REGRANT_REFRESH_SECRET, REGRANT_STORE and
    /// REGRANT_PREVIOUS_STORE take precedence over `secret`, `refreshSecret`, `store` and
    /// `previousStore`, so that no file need hold secrets.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The address of the store, in place of those of `store` and `previousStore`: file:PATH, redis://…
    /// or postgres://…
    ///
    /// Other users of this machine can see arguments: pass an address with a password in
    /// REGRANT_STORE.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) store: Option<String>,
    /// The realm, in place of the configured one. Without a configuration file it is needed where the
    /// servers have an issuer or an audience: by default these two, separated by spaces.
    #[arg(long, value_name = "NAME")]
    pub(crate) realm: Option<String>,
}

/// The text of a configuration, and what takes precedence over it.
pub(crate) struct Source {
    /// `{}` if there is no file.
    pub(crate) json: String,
    /// The name of the file, for messages.
    pub(crate) file: Option<String>,
    /// Options and their values, from the environment and the arguments.
    pub(crate) overrides: Vec<(&'static str, String)>,
    /// Whether an argument names the only store that is meant: no sessions move to it.
    pub(crate) single_store: bool,
    /// The names of all sources.
    pub(crate) names: Vec<String>,
}

impl Settings {
    /// Reads and merges all sources. Does not check that required options are present.
    pub(crate) fn load(&self) -> Result<AuthConfig, Failure> {
        self.read()?.config()
    }

    /// Reads all sources.
    pub(crate) fn read(&self) -> Result<Source, Failure> {
        let file = match &self.config {
            Some(path) => Some(path.as_path()),
            None => Some(Path::new(DEFAULT_FILE)).filter(|path| path.exists()),
        };
        let json = file.map_or_else(|| Ok("{}".to_owned()), read_text)?;
        let file = file.map(source_name);
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let given = [
            (SECRET, "secret", variable(SECRET)),
            (REFRESH_SECRET, "refreshSecret", variable(REFRESH_SECRET)),
            (STORE, "store", variable(STORE)),
            (PREVIOUS_STORE, "previousStore", variable(PREVIOUS_STORE)),
            ("--store", "store", self.store.clone()),
            ("--realm", "realm", self.realm.clone()),
        ];
        let mut names: Vec<_> = file.clone().into_iter().collect();
        let mut overrides = Vec::new();
        for (name, option, value) in given {
            if let Some(value) = value {
                names.push(name.to_owned());
                overrides.push((option, value));
            }
        }
        let single_store = self.store.is_some();
        Ok(Source { json, file, overrides, single_store, names })
    }

    /// Whether the configuration is read from standard input.
    pub(crate) fn takes_stdin(&self) -> bool {
        self.config.as_deref() == Some(Path::new(STDIN))
    }
}

impl Source {
    /// The configuration, merged.
    pub(crate) fn config(&self) -> Result<AuthConfig, Failure> {
        let mut config = AuthConfig::from_json(&self.json).map_err(|error| match &self.file {
            Some(name) => Failure::from(error).at(name),
            None => error.into(),
        })?;
        for (option, value) in &self.overrides {
            let secret = || Some(SecretConfig(SecretBytes::new(value.as_str())));
            match *option {
                "secret" => config.secret = secret(),
                "refreshSecret" => config.refresh_secret = secret(),
                "store" => config.store = Some(value.clone()),
                "previousStore" => config.previous_store = Some(value.clone()),
                _ => config.realm = Some(value.clone()),
            }
        }
        if self.single_store {
            config.previous_store = None;
        }
        Ok(config)
    }
}

fn source_name(path: &Path) -> String {
    if path == Path::new(STDIN) { "standard input".to_owned() } else { path.display().to_string() }
}

/// Whether there is a store that other processes share: a configured one, or the file at the default
/// path.
pub(crate) fn has_shared_store(config: &AuthConfig) -> bool {
    let configured_or_found =
        config.store.is_some() || config.store_address().file_path().is_none_or(Path::exists);
    configured_or_found && !config.has_memory_store()
}

/// Fails for an in-memory store, and for a file that does not exist and would be created.
pub(crate) fn require_existing_store(config: &AuthConfig) -> Result<(), Failure> {
    if config.has_memory_store() {
        let problem = "store: is required, by --store, REGRANT_STORE or the configuration; sessions in memory are visible to their own process only";
        return Err(Failure::usage(problem));
    }
    match config.store_address().file_path() {
        Some(path) if !path.exists() => {
            Err(Failure::usage(format!("store: no such file: {}", path.display())))
        }
        _ => Ok(()),
    }
}

/// The argument for standard input.
pub(crate) const STDIN: &str = "-";

/// The limit for input files, larger than any configuration, key or token.
const MAX_BYTES: u64 = 16 << 20;

/// Reads a file, or standard input, as text.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    let (name, outcome) = if path == Path::new(STDIN) {
        ("standard input".to_owned(), read(io::stdin().lock()))
    } else {
        (path.display().to_string(), File::open(path).and_then(read))
    };
    outcome.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::usage("no such file").at(&name),
        io::ErrorKind::InvalidData => Failure::usage("is not UTF-8 text, or too large").at(&name),
        _ => Failure::unavailable(format!("cannot read: {error}")).at(&name),
    })
}

fn read(input: impl Read) -> io::Result<String> {
    let mut text = String::new();
    let length = input.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if length as u64 > MAX_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(text)
}

/// Reads a token from the argument or from standard input. Strips the scheme `Bearer` and white space,
/// as copied from a header.
pub(crate) fn read_token(argument: &str) -> Result<String, Failure> {
    let text = if argument == STDIN { read_text(Path::new(STDIN))? } else { argument.to_owned() };
    let bare = text.trim();
    let bare = match bare.split_once(char::is_whitespace) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim_start(),
        _ => bare,
    };
    if bare.is_empty() {
        return Err(Failure::usage("no token given"));
    }
    Ok(bare.to_owned())
}

/// The problem without a configuration field.
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
