//! Reports in the output of a test run.

use std::fmt::Display;
use std::io::Write as _;

/// Writes a line that is shown even if the test passes: the harness captures `println!`.
pub fn report(line: impl Display) {
    writeln!(std::io::stderr(), "{line}").expect("standard error takes a line");
}
