//! Running other programs: visibly, with a deadline, and leaving nothing behind.

mod group;
mod relay;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

pub(crate) use group::Group;
use relay::Relay;

use crate::checkout;
use crate::interrupt;
use crate::outcome::Stop;
use crate::registry;

/// How often a running program is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A program that says nothing for so long is reported as still running.
const QUIET_FOR: Duration = Duration::from_secs(20);
/// The longest any one program may take.
const DEADLINE: Duration = Duration::from_secs(20 * 60);

/// One program to run, with its arguments, folder and environment.
#[derive(Debug)]
pub(crate) struct Step {
    program: OsString,
    arguments: Vec<OsString>,
    directory: PathBuf,
    environment: Vec<(OsString, OsString)>,
    deadline: Duration,
}

/// How a program ended.
struct Ended {
    /// Absent where it succeeded.
    failure: Option<String>,
    /// The end of what it printed.
    tail: String,
}

impl Step {
    /// Runs `program` in the top folder of the checkout.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            directory: checkout::root(),
            environment: Vec::new(),
            deadline: DEADLINE,
        }
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    pub(crate) fn within(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = directory.as_ref().to_path_buf();
        self
    }

    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// The longest that it may take, instead of 20 minutes.
    pub(crate) fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs it to its end, its output passed on.
    ///
    /// # Errors
    /// It could not be started, did not succeed, took too long, or somebody asked to stop.
    pub(crate) fn run(&self) -> Result<()> {
        self.run_and_keep().map(drop)
    }

    /// Runs it to its end, its output passed on, and returns the end of that output.
    ///
    /// # Errors
    /// See [`run`](Self::run).
    pub(crate) fn run_and_keep(&self) -> Result<String> {
        let ended = self.finish()?;
        match ended.failure {
            None => Ok(ended.tail),
            Some(failure) => bail!("`{self}`: {failure}"),
        }
    }

    /// Runs a program that needs a package registry. Where that cannot be reached, the stage stops
    /// as skipped, not as failed.
    pub(crate) fn run_online(&self) -> Result<(), Stop> {
        self.run_online_and_keep().map(drop)
    }

    /// The same, and returns the end of the output.
    pub(crate) fn run_online_and_keep(&self) -> Result<String, Stop> {
        let ended = self.finish()?;
        match ended.failure {
            None => Ok(ended.tail),
            Some(_) if registry::is_unreachable(&ended.tail) => {
                Err(Stop::Skip(format!("`{self}`: the package registry cannot be reached")))
            }
            Some(failure) => Err(anyhow::anyhow!("`{self}`: {failure}").into()),
        }
    }

    /// Starts it with the output inherited, for programs that serve until they are ended.
    pub(crate) fn start(&self) -> Result<Group> {
        self.announce();
        let mut command = self.command();
        command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
        Group::spawn(&mut command).with_context(|| format!("cannot start `{self}`"))
    }

    fn finish(&self) -> Result<Ended> {
        self.announce();
        let mut command = self.command();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut group =
            Group::spawn(&mut command).with_context(|| format!("cannot start `{self}`"))?;
        let relay = Relay::of(group.leader());
        let started = Instant::now();
        let mut heard = started;
        let status = loop {
            if let Some(status) = group.try_wait()? {
                break status;
            }
            if interrupt::requested() {
                bail!("interrupted");
            }
            let elapsed = started.elapsed();
            if elapsed > self.deadline {
                bail!("`{self}`: not done after {:?}, ended", self.deadline);
            }
            heard = heard.max(relay.last_output());
            if heard.elapsed() > QUIET_FOR {
                println!("  ... `{self}` still runs, {} s so far", elapsed.as_secs());
                heard = Instant::now();
            }
            std::thread::sleep(LOOK_EVERY);
        };
        let failure = (!status.success()).then(|| status.to_string());
        Ok(Ended { failure, tail: relay.finish() })
    }

    fn announce(&self) {
        println!("$ {self}    [{}]", checkout::relative(&self.directory));
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.directory).stdin(Stdio::null());
        // What `cargo run` says about this very crate is not meant for others.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl std::fmt::Display for Step {
    /// The command line as one would type it; only for reading.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let program = Path::new(&self.program);
        write!(f, "{}", program.file_name().unwrap_or(&self.program).to_string_lossy())?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", argument.to_string_lossy()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Step {
        Step::new("/bin/sh").args(["-c", script])
    }

    #[test]
    fn success_and_failure_are_told_apart() {
        shell("exit 0").run().unwrap();
        let error = shell("echo words; exit 3").run().unwrap_err().to_string();
        assert!(error.contains("exit status: 3"), "{error}");
        assert_eq!(shell("echo words >&2").run_and_keep().unwrap(), "words\n");
        assert!(Step::new("no-such-program").run().is_err());
    }

    #[test]
    fn folder_and_environment_are_as_said() {
        shell("test \"$(pwd -P)\" = / && test \"$WORD\" = yes && test -z \"$CARGO_PKG_NAME\"")
            .within("/")
            .env("WORD", "yes")
            .run()
            .unwrap();
    }

    #[test]
    fn an_unreachable_registry_is_a_skip_and_a_broken_build_is_not() {
        let stop = shell("echo npm error code ENOTFOUND >&2; exit 1").run_online().unwrap_err();
        assert!(matches!(stop, Stop::Skip(_)), "{stop:?}");
        let stop = shell("echo no such script; exit 1").run_online().unwrap_err();
        assert!(matches!(stop, Stop::Fail(_)), "{stop:?}");
        shell("echo ENOTFOUND").run_online().unwrap();
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_all_that_it_started() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("held");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        // The grandchild holds the fifo open for writing; reading it to the end returns only once
        // the grandchild is gone.
        let step = shell("(exec 3>\"$FIFO\"; exec sleep 60) & wait").env("FIFO", &fifo);
        let (sender, gone) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(std::fs::read(fifo).unwrap()));
        let error = step.deadline(Duration::from_millis(200)).run().unwrap_err().to_string();
        assert!(error.contains("not done"), "{error}");
        assert_eq!(gone.recv_timeout(Duration::from_secs(10)).as_deref(), Ok(&[][..]));
    }
}
