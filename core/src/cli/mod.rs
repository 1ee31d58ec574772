//! The operator's command: keys, tokens, sessions, the sweep, the store, the configuration.
//!
//! One implementation with two front doors: the program `regrant`, and `npx regrant`, which hands
//! its arguments to the native addon. Results go to stdout, as text for people or with `--json`
//! for programs; messages go to stderr; the exit status is one of [`Exit`].
//!
//! A subcommand is a file: its arguments, whose doc comments are its help, and what it does.

mod arguments;
mod config;
mod context;
mod exit;
mod failure;
mod health;
mod input;
mod instants;
mod keys;
mod output;
mod page;
mod sessions;
mod settings;
mod store;
mod sweep;
mod token;

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use self::context::{Context, Reply};
pub use self::exit::Exit;

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
            output::message(&told.render().to_string());
            return Exit::Usage.status();
        }
        Err(asked_for) => return output::result(&asked_for.render().to_string(), Exit::Yes),
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
        Ok(Reply { text, exit }) => output::result(&text, exit),
        Err(failure) => {
            output::message(&failure.render(cli.json));
            failure.exit.status()
        }
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
