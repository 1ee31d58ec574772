//! What a run found out, for whoever reads its output.

use std::fmt::Display;
use std::io::Write as _;

/// Writes a line that is seen although the test passes: the harness hides what `println!` writes.
pub fn report(line: impl Display) {
    writeln!(std::io::stderr(), "{line}").expect("standard error takes a line");
}
