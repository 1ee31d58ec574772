//! Runs other programs: echoes the command line, watches the output, and leaves no process behind.

mod group;
mod relay;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

pub(crate) use group::Group;
use relay::Relay;

use crate::checkout;
use crate::interrupt;
use crate::outcome::Stop;
use crate::report::{Format, Report};

/// How often a running program is polled.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A program without output for this long is reported as still running.
const QUIET_FOR: Duration = Duration::from_secs(20);
/// A test run without progress for this long is killed. The longest single test takes half a minute on a quiet
/// machine.
const STALLED_AFTER: Duration = Duration::from_secs(15 * 60);

/// What package managers print on network errors.
const UNREACHABLE: &[&str] = &[
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "ENETUNREACH",
    "ERR_SOCKET_TIMEOUT",
    "Could not transfer artifact",
    "Unknown host",
    "Could not resolve host",
    "Failed getting release file",
    "Couldn't download",
];

/// One program to run, with its arguments, folder and environment.
#[derive(Clone, Debug)]
pub(crate) struct Invocation {
    program: OsString,
    arguments: Vec<OsString>,
    directory: PathBuf,
    environment: Vec<(OsString, OsString)>,
}

/// Where the output of a program goes, and when it is killed.
struct Watch {
    format: Format,
    /// The expected tests, if known in advance.
    expected: Vec<String>,
    /// Captures standard output instead of printing it.
    keep_stdout: bool,
    /// Writes all output to this file instead of the terminal.
    log: Option<PathBuf>,
    stalled_after: Option<Duration>,
}

/// How a program ended.
struct Ended {
    status: ExitStatus,
    /// The end of the printed output.
    tail: String,
    stdout: Vec<u8>,
    report: Report,
    secrets: Vec<String>,
}

impl Invocation {
    /// Runs `program` in the top folder of the checkout.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            directory: checkout::root(),
            environment: Vec::new(),
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

    /// Runs a build, installation or generator, without a time limit.
    ///
    /// # Errors
    /// It cannot be started, fails, prints a secret, or the user interrupts.
    pub(crate) fn run(&self) -> Result<()> {
        self.judge(self.finish(&Watch::compiling())?).map(drop)
    }

    /// The same; returns the end of its output.
    pub(crate) fn run_and_keep(&self) -> Result<String> {
        Ok(self.judge(self.finish(&Watch::compiling())?)?.tail)
    }

    /// The same for a program that needs a package registry. An unreachable registry is a skip, not a failure.
    pub(crate) fn run_online(&self) -> Result<(), Stop> {
        let ended = self.finish(&Watch::compiling())?;
        if !ended.status.success() && is_unreachable(&ended.tail) {
            return Err(Stop::Skip(format!("`{self}`: the package registry cannot be reached")));
        }
        Ok(self.judge(ended).map(drop)?)
    }

    /// The same; returns its standard output, which is not printed.
    pub(crate) fn run_and_read(&self) -> Result<String> {
        let ended = self.finish(&Watch { keep_stdout: true, ..Watch::compiling() })?;
        let ended = self.judge(ended)?;
        Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
    }

    /// Runs tests until they end or make no progress for 15 minutes. Their output goes to the file `log`.
    ///
    /// # Errors
    /// They fail, print a secret or stall, or the user interrupts.
    pub(crate) fn run_tests(
        &self,
        format: Format,
        expected: Vec<String>,
        log: &Path,
    ) -> Result<Report> {
        let watch = Watch {
            format,
            expected,
            log: Some(log.to_owned()),
            stalled_after: Some(STALLED_AFTER),
            keep_stdout: false,
        };
        Ok(self.judge(self.finish(&watch)?)?.report)
    }

    /// Starts a server with inherited output.
    pub(crate) fn start(&self) -> Result<Group> {
        self.announce();
        let mut command = self.command();
        command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
        Group::spawn(&mut command).with_context(|| format!("cannot start `{self}`"))
    }

    /// The same without echoing the command; output goes to the file `log`.
    pub(crate) fn start_quietly(&self, log: &Path) -> Result<Group> {
        let file = std::fs::File::create(log)?;
        let mut command = self.command();
        command.stdout(file.try_clone()?).stderr(file);
        Group::spawn(&mut command).with_context(|| format!("cannot start `{self}`"))
    }

    fn judge(&self, ended: Ended) -> Result<Ended> {
        if !ended.status.success() {
            let failures = match &ended.report.failures[..] {
                [] => String::new(),
                failures => format!("{}; ", failures.join(", ")),
            };
            bail!("{failures}`{self}`: {}", ended.status);
        }
        match ended.secrets.first() {
            None => Ok(ended),
            Some(first) => bail!("`{self}`: {} lines: {first}", ended.secrets.len()),
        }
    }

    fn finish(&self, watch: &Watch) -> Result<Ended> {
        if watch.log.is_none() {
            self.announce();
        }
        let mut command = self.command();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut group =
            Group::spawn(&mut command).with_context(|| format!("cannot start `{self}`"))?;
        let report = Report::new(watch.format, watch.expected.clone());
        let relay = Relay::of(group.leader(), report, watch.keep_stdout, watch.log.as_deref())?;
        let started = Instant::now();
        let mut reported = started;
        let status = loop {
            if let Some(status) = group.try_wait()? {
                break status;
            }
            if interrupt::requested() {
                bail!("interrupted");
            }
            let stalled =
                watch.stalled_after.filter(|&after| relay.last_progress().elapsed() > after);
            if let Some(after) = stalled {
                let running = relay.running();
                bail!("`{self}`: no progress for {after:?}, killed while running: {running}");
            }
            reported = reported.max(relay.last_output());
            if watch.log.is_none() && reported.elapsed() > QUIET_FOR {
                println!("  ... `{self}` still runs, {} s so far", started.elapsed().as_secs());
                reported = Instant::now();
            }
            std::thread::sleep(LOOK_EVERY);
        };
        let heard = relay.finish()?;
        Ok(Ended {
            status,
            tail: heard.tail(),
            stdout: heard.stdout,
            report: heard.report,
            secrets: heard.secrets,
        })
    }

    fn announce(&self) {
        println!("$ {self}    [{}]", checkout::relative(&self.directory));
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.directory).stdin(Stdio::null());
        // Cargo sets these for this crate; other programs must not see them.
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

impl Watch {
    /// For anything but tests: output is printed, and there is no time limit.
    fn compiling() -> Self {
        Self {
            format: Format::Plain,
            expected: Vec::new(),
            keep_stdout: false,
            log: None,
            stalled_after: None,
        }
    }
}

impl std::fmt::Display for Invocation {
    /// The command line, for display only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let program = Path::new(&self.program);
        write!(f, "{}", program.file_name().unwrap_or(&self.program).to_string_lossy())?;
        self.arguments.iter().try_for_each(|argument| write!(f, " {}", argument.to_string_lossy()))
    }
}

/// Whether a program's output shows that a package registry is unreachable.
fn is_unreachable(output: &str) -> bool {
    UNREACHABLE.iter().any(|sign| output.contains(sign))
}

/// Fails if the program has ended or the user interrupts.
pub(crate) fn ensure_running(group: &mut Group, what: &str) -> Result<()> {
    match group.try_wait()? {
        None if interrupt::requested() => Err(anyhow!("interrupted")),
        None => Ok(()),
        Some(status) => Err(anyhow!("{what} exited unexpectedly: {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Invocation {
        Invocation::new("/bin/sh").args(["-c", script])
    }

    #[test]
    fn exit_codes_and_output_are_reported() {
        shell("exit 0").run().unwrap();
        let error = shell("echo words; exit 3").run().unwrap_err().to_string();
        assert!(error.contains("exit status: 3"), "{error}");
        assert_eq!(shell("echo words >&2").run_and_keep().unwrap(), "words\n");
        assert_eq!(shell("echo data; echo words >&2").run_and_read().unwrap(), "data\n");
        assert!(Invocation::new("no-such-program").run().is_err());
    }

    #[test]
    fn folder_and_environment_are_applied() {
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
    fn network_errors_are_recognised() {
        assert!(is_unreachable("npm error code ENOTFOUND\nnpm error syscall getaddrinfo"));
        assert!(is_unreachable("[ERROR] Could not transfer artifact a:b:pom:1 from/to central"));
        assert!(is_unreachable("E: Failed getting release file http://mirror.test/dists/trixie"));
        assert!(!is_unreachable("npm error code EUSAGE\nnpm error `npm ci` can only install"));
        assert!(!is_unreachable("[ERROR] Tests run: 3, Failures: 1"));
    }

    #[test]
    fn printing_a_secret_is_a_failure() {
        // Joined by the shell, so that this test's own output does not contain it.
        let step = shell("printf '%s %s\\n' 'a secret of' 'the tests'");
        let log = tempfile::NamedTempFile::new().unwrap();
        let error = step.run_tests(Format::Plain, Vec::new(), log.path()).unwrap_err();
        assert!(error.to_string().contains("was printed"), "{error:#}");
    }

    #[test]
    fn a_stalled_run_is_ended_with_its_children() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("held");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        // The grandchild holds the fifo open for writing; reading it to the end returns only once the grandchild is
        // gone.
        let script = "echo 'test a ... ok'; (exec 3>\"$FIFO\"; exec sleep 600) & wait";
        let step = shell(script).env("FIFO", &fifo);
        let (sender, gone) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(std::fs::read(fifo).unwrap()));
        let watch = Watch {
            format: Format::Libtest,
            expected: vec!["a".to_owned(), "b::c".to_owned()],
            stalled_after: Some(Duration::from_millis(200)),
            ..Watch::compiling()
        };
        let error = step.finish(&watch).err().unwrap().to_string();
        assert!(error.ends_with("killed while running: b::c"), "{error}");
        assert_eq!(gone.recv_timeout(Duration::from_secs(60)).as_deref(), Ok(&[][..]));
    }
}
