//! The program `regrant`: see [`regrant::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(regrant::cli::run(std::env::args_os().skip(1)))
}
