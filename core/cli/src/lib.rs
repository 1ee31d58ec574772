//! The operator's command: keys, tokens, sessions, the sweep, the store, the configuration.
//!
//! One implementation with two front doors: the program `regrant`, and `npx regrant`, which hands
//! its arguments to the native addon. Results go to stdout, as text for people or with `--json`
//! for programs; messages go to stderr; the exit status is one of [`Exit`].
//!
//! A subcommand is a file: its arguments, whose doc comments are its help, and what it does.

mod config;
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

use crate::output::{Page, Paint, print_message, print_result};

/// Keys, tokens, sessions and stores of regrant.
#[derive(Debug, Parser)]
#[command(name = "regrant", bin_name = "regrant", version, no_binary_name = true)]
#[command(max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    /// Answers with JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit status: 0 yes or done; 1 the answer is no; 2 wrong usage or configuration; 3 the store (or
another outside party) could not be asked; 130 interrupted.";

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

/// Runs the command that `arguments`, those after the program's name, ask for. Gives the exit
/// status of the process, whatever happens.
pub fn run<A: Into<OsString> + Clone>(arguments: impl IntoIterator<Item = A>) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        // Help that was asked for comes as an "error" as well.
        Err(told) if told.use_stderr() => {
            print_message(&told.render().to_string());
            return Exit::Usage.status();
        }
        Err(asked_for) => return print_result(&asked_for.render().to_string(), Exit::Yes),
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

/// The exit status. Its numbers never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
pub enum Exit {
    /// The answer is yes, or what was asked for is done.
    Yes = 0,
    /// The answer is no: the token is refused, the store is not well, there is no such session.
    No = 1,
    /// The command or the configuration is wrong.
    Usage = 2,
    /// The store, a file or another outside party could not be asked.
    Unavailable = 3,
    /// It was interrupted (SIGINT), as shells number it.
    Interrupted = 130,
}

impl Exit {
    /// The number.
    pub const fn status(self) -> u8 {
        self as u8
    }
}

/// What kept a command from answering. Holds no secret and no token.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    code: ErrorCode,
    field: Option<String>,
    message: String,
}

impl Failure {
    /// The command was used wrongly.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        let code = ErrorCode::ConfigInvalid;
        Self { exit: Exit::Usage, code, field: None, message: message.into() }
    }

    /// A file, stdin or another outside party failed.
    pub(crate) fn outside(message: impl Into<String>) -> Self {
        let code = ErrorCode::Internal;
        Self { exit: Exit::Unavailable, code, field: None, message: message.into() }
    }

    /// With where it happened in front: the name of a file.
    pub(crate) fn at(self, place: &str) -> Self {
        Self { message: format!("{place}: {}", self.message), ..self }
    }

    /// For stderr: a line for people, or JSON.
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
                let place = if field.is_empty() { "configuration" } else { &field };
                let message = format!("{place}: {problem}");
                (Some(field), message)
            }
            other => (None, format!("{other}{}", cause.unwrap_or_default())),
        };
        Self { exit, code, field, message }
    }
}

/// What every subcommand is told.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) json: bool,
    paint: Paint,
}

/// What a subcommand answers: the whole text for stdout, and how the command ends.
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

    /// `data` for programs, or what `page` writes for people.
    pub(crate) fn reply(
        &self,
        exit: Exit,
        data: &impl Serialize,
        page: impl FnOnce(&mut Page),
    ) -> Result<Reply, Failure> {
        let text = if self.json {
            let text = serde_json::to_string_pretty(data)
                .map_err(|_| Failure::outside("the answer is no JSON"))?;
            format!("{text}\n")
        } else {
            let mut paper = Page::new(self.paint);
            page(&mut paper);
            paper.into_text()
        };
        Ok(Reply { text, exit })
    }

    /// Runs `work`, which asks a store, to its end.
    pub(crate) fn block_on<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::outside(format!("no runtime can be started: {error}")))?;
        runtime.block_on(work)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    /// What clap can find wrong with the definitions it finds here.
    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
