//! The command line of regrant: keys, tokens, sessions, migration, store and configuration.
//!
//! The program `regrant` and `npx regrant`, through the native addon, both call [`run`]. Results go
//! to stdout, as text or with `--json` as JSON; messages go to stderr; the exit status is one of
//! [`Exit`].
//!
//! Each subcommand is a file with its arguments, whose doc comments are the help text, and its
//! implementation.

mod config;
mod copy;
mod decode;
mod health;
mod keys;
mod output;
mod sessions;
mod settings;
mod sweep;
mod token;

use std::ffi::OsString;
use std::future::Future;
use std::io::{IsTerminal as _, stdout};

use clap::{Parser, Subcommand};
use regrant::error::{Advice, Error, ErrorCode};
use regrant::types::{Clock as _, SystemClock, Timestamp};
use serde::Serialize;
use serde_json::json;

use crate::output::{Paint, TextOutput, print_message, print_result};

/// Manages keys, tokens, sessions and stores of regrant.
#[derive(Debug, Parser)]
#[command(name = "regrant", bin_name = "regrant", version, no_binary_name = true)]
#[command(max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    /// Prints JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit status: 0 success; 1 negative result; 2 invalid usage or configuration; 3 the store or a file
is unavailable; 130 interrupted.";

#[derive(Debug, Subcommand)]
enum Command {
    #[command(subcommand)]
    Keys(keys::Keys),
    #[command(subcommand)]
    Token(token::Token),
    #[command(subcommand)]
    Sessions(sessions::Sessions),
    Sweep(sweep::Sweep),
    Health(health::Health),
    #[command(subcommand)]
    Config(config::Config),
}

/// Runs the command line. `arguments` do not include the program's name. Returns the exit status.
pub fn run<A: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = A>) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            print_message(&error.render().to_string());
            return Exit::Usage.status();
        }
        // `--help` and `--version` are errors of clap too.
        Err(help) => return print_result(&help.render().to_string(), Exit::Yes),
    };
    let context = Context::new(cli.json);
    let outcome = match cli.command {
        Command::Keys(command) => command.run(&context),
        Command::Token(command) => command.run(&context),
        Command::Sessions(command) => command.run(&context),
        Command::Sweep(command) => command.run(&context),
        Command::Health(command) => command.run(&context),
        Command::Config(command) => command.run(&context),
    };
    match outcome {
        Ok(Reply { text, exit }) => print_result(&text, exit),
        Err(failure) => {
            print_message(&failure.render(cli.json));
            failure.exit.status()
        }
    }
}

/// The exit status. The numbers are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Exit {
    /// Success, or a positive result.
    Yes = 0,
    /// A negative result: the token is rejected, the store has warnings, the session does not exist.
    No = 1,
    /// The usage or the configuration is invalid.
    Usage = 2,
    /// The store or a file is unavailable.
    Unavailable = 3,
    /// Interrupted by SIGINT; the number that shells use.
    Interrupted = 130,
}

impl Exit {
    /// The number.
    pub const fn status(self) -> u8 {
        self as u8
    }
}

/// The error of a command. Holds no secret and no token.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    code: ErrorCode,
    field: Option<String>,
    message: String,
}

impl Failure {
    /// Invalid usage.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        let code = ErrorCode::ConfigInvalid;
        Self { exit: Exit::Usage, code, field: None, message: message.into() }
    }

    /// A file, standard input or the store failed.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        let code = ErrorCode::Internal;
        Self { exit: Exit::Unavailable, code, field: None, message: message.into() }
    }

    /// Prefixes the message with the name of a file or an argument.
    pub(crate) fn at(self, name: &str) -> Self {
        Self { message: format!("{name}: {}", self.message), ..self }
    }

    /// The text for stderr: a line, or JSON.
    pub(crate) fn render(&self, as_json: bool) -> String {
        if !as_json {
            return format!("error: {}\n", self.message);
        }
        let error = json!({
            "code": self.code.as_str(),
            "advice": self.code.advice(),
            "field": self.field,
            "message": self.message,
        });
        format!("{}\n", json!({ "error": error }))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = error.code();
        let exit = match code.advice() {
            Advice::Retry => Exit::Unavailable,
            Advice::Fix if code == ErrorCode::ConfigInvalid => Exit::Usage,
            Advice::Fix => Exit::Unavailable,
            Advice::Refresh | Advice::SignIn | Advice::Reject => Exit::No,
        };
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        let (field, message) = match error {
            Error::ConfigInvalid { field, problem } => {
                let name = if field.is_empty() { "configuration" } else { &field };
                let message = format!("{name}: {problem}");
                (Some(field), message)
            }
            other => (None, format!("{other}{}", cause.unwrap_or_default())),
        };
        Self { exit, code, field, message }
    }
}

/// The context of all subcommands.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) json: bool,
    paint: Paint,
}

/// The result of a subcommand: the text for stdout, and the exit status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) text: String,
    pub(crate) exit: Exit,
}

impl Context {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, paint: Paint::for_output(stdout().is_terminal()) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    /// A reply with `data` as JSON, or with the text that `out` writes.
    pub(crate) fn reply(
        &self,
        exit: Exit,
        data: &impl Serialize,
        out: impl FnOnce(&mut TextOutput),
    ) -> Result<Reply, Failure> {
        let text = if self.json {
            let text = serde_json::to_string_pretty(data)
                .map_err(|_| Failure::unavailable("the result is not JSON"))?;
            format!("{text}\n")
        } else {
            let mut text = TextOutput::new(self.paint);
            out(&mut text);
            text.into_text()
        };
        Ok(Reply { text, exit })
    }

    /// Runs `work` on a Tokio runtime.
    pub(crate) fn block_on<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(
            |error| Failure::unavailable(format!("cannot start a Tokio runtime: {error}")),
        )?;
        runtime.block_on(work)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    /// Runs clap's own checks.
    #[test]
    fn the_argument_definitions_are_valid() {
        super::Cli::command().debug_assert();
    }
}
