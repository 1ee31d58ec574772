//! The program `regrant`: see [`regrant_cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(regrant_cli::run(std::env::args_os().skip(1)))
}
