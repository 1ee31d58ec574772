//! The test bed of the clients: the Express example with tokens that live for seconds.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::checkout;
use crate::http;
use crate::interrupt;
use crate::outcome::Stop;
use crate::process::{Group, Step};
use crate::stages::node;

/// How long it may take until it answers.
const READY_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How the tests' lines of what they counted begin.
const COUNTED: &str = "e2e: ";

/// A running test bed; ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Bed {
    _program: Group,
    port: u16,
}

/// For how long the tests go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Short,
    Long,
}

impl Bed {
    /// Builds what it is made of and starts it.
    ///
    /// # Errors
    /// npm cannot be reached, something does not build, or the bed does not start.
    pub(crate) fn start() -> Result<Self, Stop> {
        node::build("build:debug")?;
        node::install(&checkout::example())?;
        let port = http::free_port()?;
        let mut program = Step::new("node")
            .args(["tests/clients/bed/main.mjs"])
            .env("PORT", port.to_string())
            .start()?;
        wait_for(&mut program, port)?;
        Ok(Self { _program: program, port })
    }

    /// What the tests of a client find in their environment.
    pub(crate) fn variables(&self, length: Length) -> Vec<(&'static str, String)> {
        let mut variables = vec![("REGRANT_E2E", format!("http://127.0.0.1:{}", self.port))];
        if length == Length::Long {
            variables.push(("REGRANT_E2E_KILLS", "100".to_owned()));
            variables.push(("REGRANT_E2E_EXPIRIES", "10".to_owned()));
        }
        variables
    }
}

/// The lines in which tests have said what they counted.
///
/// # Errors
/// There is none: they have not met the bed.
pub(crate) fn counted(output: &str) -> Result<Vec<String>> {
    let lines = output.lines().filter_map(|line| line.split_once(COUNTED));
    let counted: Vec<_> = lines.map(|(_, counted)| counted.trim_end().to_owned()).collect();
    ensure!(!counted.is_empty(), "the end-to-end tests did not run");
    Ok(counted)
}

fn wait_for(program: &mut Group, port: u16) -> Result<()> {
    let started = Instant::now();
    while http::get(port, "/").is_err() {
        if let Some(status) = program.try_wait()? {
            bail!("the test bed ended before it answered: {status}");
        }
        ensure!(!interrupt::requested(), "interrupted");
        ensure!(started.elapsed() < READY_WITHIN, "no test bed after {READY_WITHIN:?}");
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tests_have_counted_is_found() {
        let output = "test a ... ok\ne2e: rust: kills: 8\nx e2e: swift: kills: 9\r\nnothing\n";
        assert_eq!(counted(output).unwrap(), ["rust: kills: 8", "swift: kills: 9"]);
        assert!(counted("test a ... ok\n").is_err());
    }
}
