//! Runs other programs: echoes the command line, forwards and scans the output, and leaves no process behind.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::checkout;
use crate::interrupt;
use crate::report::{Format, Report};
use crate::scratch;
use crate::secrets;

/// How often a running program is polled.
const POLL_EVERY: Duration = Duration::from_millis(20);
/// A program without output for this long is reported as still running.
const QUIET_FOR: Duration = Duration::from_secs(20);
/// A test run without progress for this long is killed. The longest single test takes half a minute on a quiet
/// machine.
const STALLED_AFTER: Duration = Duration::from_secs(15 * 60);
/// Startup timeout of a server on a busy machine.
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long to wait for the end of the output after a program ended: a surviving child may hold it open.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Time between SIGTERM and SIGKILL.
const TERM_TIMEOUT: Duration = Duration::from_secs(5);

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

/// The error of what cannot run on this machine: a tool is missing, or a package registry is unreachable.
#[derive(Debug)]
pub(crate) struct Skip(pub(crate) String);

impl std::fmt::Display for Skip {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skip {}

/// The first program of this name on the `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// One program to run, with its arguments, folder and environment.
#[derive(Debug)]
pub(crate) struct Invocation(Command);

impl Invocation {
    /// Runs `program` in the top folder of the checkout.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.current_dir(checkout::root()).stdin(Stdio::null());
        // Cargo sets these for this crate; other programs must not see them.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        Self(command)
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.0.args(arguments);
        self
    }

    /// Sets the folder, relative to the checkout.
    pub(crate) fn within(mut self, folder: impl AsRef<Path>) -> Self {
        self.0.current_dir(checkout::path(folder));
        self
    }

    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn envs<N: AsRef<OsStr>, V: AsRef<OsStr>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.0.envs(variables);
        self
    }

    /// Runs a build, installation or generator, without a time limit.
    ///
    /// # Errors
    /// It cannot be started, fails, prints a secret, or the user interrupts.
    pub(crate) fn run(self) -> Result<()> {
        self.run_and_keep().map(drop)
    }

    /// The same; ends the program after it has printed nothing for this long.
    pub(crate) fn run_with_limit(self, limit: Duration) -> Result<()> {
        let mut watch = Watch::new(To::Terminal);
        watch.stalled_after = Some(limit);
        self.watch(watch)?.succeeded().map(drop)
    }

    /// The same; also returns its output.
    pub(crate) fn run_and_keep(self) -> Result<String> {
        Ok(self.watch(Watch::new(To::Terminal))?.succeeded()?.text)
    }

    /// The same; returns its standard output, which is not printed.
    pub(crate) fn run_and_read(self) -> Result<String> {
        Ok(self.watch(Watch::new(To::Caller))?.succeeded()?.text)
    }

    /// The same for a program that needs a package registry. An unreachable registry is a skip, not a failure.
    pub(crate) fn run_online(self) -> Result<()> {
        let ended = self.watch(Watch::new(To::Terminal))?;
        if !ended.status.success() && is_unreachable(&ended.watch.text) {
            bail!(Skip(format!("`{}`: the package registry cannot be reached", ended.command)));
        }
        ended.succeeded().map(drop)
    }

    /// Runs tests until they end or make no progress for 15 minutes. `expected` names the tests, if the runner does not
    /// print their start. Their output goes to the file `log`.
    ///
    /// # Errors
    /// They fail, print a secret or stall, or the user interrupts.
    pub(crate) fn run_tests(
        mut self,
        format: Format,
        expected: Vec<String>,
        log: &Path,
    ) -> Result<Report> {
        if let Some(folder) = scratch::folder() {
            self.0.env("TMPDIR", folder);
        }
        let mut watch = Watch::new(To::Log(File::create(log)?));
        watch.report = Report::new(format, expected);
        watch.stalled_after = Some(STALLED_AFTER);
        Ok(self.watch(watch)?.succeeded()?.report)
    }

    /// Runs a short command quietly; returns its standard output.
    ///
    /// # Errors
    /// It cannot be started or fails.
    pub(crate) fn capture(mut self) -> Result<String> {
        let output = self.0.stderr(Stdio::null()).output();
        let output = output.with_context(|| format!("cannot start `{self}`"))?;
        ensure!(output.status.success(), "`{self}`: {}", output.status);
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts a server. Its output goes to the terminal, or to the file `log`.
    pub(crate) fn start(mut self, log: Option<&Path>) -> Result<Group> {
        match log {
            Some(log) => {
                let file = File::create(log)?;
                self.0.stdout(file.try_clone()?).stderr(file);
            }
            None => self.announce(),
        }
        Group::spawn(&mut self.0).with_context(|| format!("cannot start `{self}`"))
    }

    fn announce(&self) {
        let folder = self.0.get_current_dir().map(checkout::relative);
        println!("$ {self}    [{}]", folder.unwrap_or_default());
    }

    fn watch(mut self, mut watch: Watch) -> Result<Ended> {
        let command = self.to_string();
        if !watch.is_logged() {
            self.announce();
        }
        // One pipe for both keeps the order of what is printed.
        let (output, writer) = std::io::pipe()?;
        if !matches!(watch.to, To::Caller) {
            self.0.stderr(writer.try_clone()?);
        }
        self.0.stdout(writer);
        let mut group =
            Group::spawn(&mut self.0).with_context(|| format!("cannot start `{command}`"))?;
        // Closes this end of the pipe, so that the output ends with the program.
        drop(self);
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || send_lines(output, &sender));

        let mut announced = Instant::now();
        let status = loop {
            match lines.recv_timeout(POLL_EVERY) {
                Ok(line) => watch.line(&line),
                Err(RecvTimeoutError::Timeout) => {}
                // It has closed its output and still runs.
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(POLL_EVERY),
            }
            if let Some(status) = group.try_wait()? {
                break status;
            }
            if interrupt::requested() {
                bail!("interrupted");
            }
            if let Some(after) = watch.stalled_after
                && watch.last_progress.elapsed() > after
            {
                let running = watch.report.running();
                bail!("`{command}`: no progress for {after:?}, killed while running: {running}");
            }
            announced = announced.max(watch.last_line);
            if !watch.is_logged() && announced.elapsed() > QUIET_FOR {
                println!(
                    "  ... `{command}` still runs, {} s so far",
                    watch.started.elapsed().as_secs()
                );
                announced = Instant::now();
            }
        };
        let ended = Instant::now();
        while let Ok(line) = lines.recv_timeout(CLOSE_TIMEOUT.saturating_sub(ended.elapsed())) {
            watch.line(&line);
        }
        Ok(Ended { command, status, watch })
    }
}

impl std::fmt::Display for Invocation {
    /// The command line, for display only.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let program = Path::new(self.0.get_program());
        write!(f, "{}", program.file_name().unwrap_or(self.0.get_program()).to_string_lossy())?;
        self.0.get_args().try_for_each(|argument| write!(f, " {}", argument.to_string_lossy()))
    }
}

/// Sends each line of an output, until its end.
fn send_lines(output: PipeReader, sender: &Sender<Vec<u8>>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while let Ok(1..) = output.read_until(b'\n', &mut line) {
        if sender.send(std::mem::take(&mut line)).is_err() {
            return;
        }
    }
}

/// Where the output of a program goes.
enum To {
    Terminal,
    /// Standard output to the caller. Standard error is inherited.
    Caller,
    Log(File),
}

/// What a program has printed so far, and what is expected of it.
struct Watch {
    to: To,
    report: Report,
    stalled_after: Option<Duration>,
    /// All output; only standard output for [`To::Caller`].
    text: String,
    secrets: Vec<String>,
    started: Instant,
    last_line: Instant,
    /// When a test last started or ended, as far as known.
    last_progress: Instant,
}

impl Watch {
    fn new(to: To) -> Self {
        let now = Instant::now();
        Self {
            to,
            report: Report::new(Format::Plain, Vec::new()),
            stalled_after: None,
            text: String::new(),
            secrets: Vec::new(),
            started: now,
            last_line: now,
            last_progress: now,
        }
    }

    fn is_logged(&self) -> bool {
        matches!(self.to, To::Log(_))
    }

    fn line(&mut self, line: &[u8]) {
        // Our own output may be closed; the program must continue anyway.
        let _ = match &mut self.to {
            To::Terminal => std::io::stdout().write_all(line),
            To::Caller => Ok(()),
            To::Log(file) => file.write_all(line),
        };
        let text = String::from_utf8_lossy(line);
        self.text.push_str(&text);
        self.secrets.extend(secrets::violation(text.trim_end()));
        self.last_line = Instant::now();
        if self.report.line(text.trim_end()) {
            self.last_progress = self.last_line;
        }
    }
}

/// A program that has ended.
struct Ended {
    command: String,
    status: ExitStatus,
    watch: Watch,
}

impl Ended {
    /// What it printed, if it succeeded and printed no secret.
    fn succeeded(self) -> Result<Watch> {
        let Self { command, status, watch } = self;
        if !status.success() {
            let failures: String =
                watch.report.failures.iter().map(|name| format!("{name}; ")).collect();
            bail!("{failures}`{command}`: {status}");
        }
        match watch.secrets.first() {
            None => Ok(watch),
            Some(first) => bail!("`{command}`: {} lines: {first}", watch.secrets.len()),
        }
    }
}

/// Whether a program's output shows that a package registry is unreachable.
fn is_unreachable(output: &str) -> bool {
    UNREACHABLE.iter().any(|sign| output.contains(sign))
}

/// A running program in a process group of its own, with its child processes; the group is killed on drop.
#[derive(Debug)]
pub(crate) struct Group {
    leader: Child,
    over: bool,
}

impl Group {
    /// Starts the program. Ctrl-C in the terminal no longer reaches it directly.
    fn spawn(command: &mut Command) -> std::io::Result<Self> {
        Ok(Self { leader: command.process_group(0).spawn()?, over: false })
    }

    /// The exit status, once the program has ended.
    fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.leader.try_wait()?;
        self.over = status.is_some();
        Ok(status)
    }

    /// Fails if the program has ended or the user interrupts; otherwise waits for a moment.
    pub(crate) fn keep_running(&mut self) -> Result<()> {
        if let Some(status) = self.try_wait()? {
            bail!("the server exited unexpectedly: {status}");
        }
        ensure!(!interrupt::requested(), "interrupted");
        std::thread::sleep(POLL_EVERY);
        Ok(())
    }

    /// Waits until a server has written its port to its log, after this prefix.
    ///
    /// # Errors
    /// The server ends, the timeout expires, or the user interrupts.
    pub(crate) fn wait_for_port(&mut self, log: &Path, prefix: &str) -> Result<u16> {
        let started = Instant::now();
        loop {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            // The line may not be complete yet.
            if let Some((_, rest)) = said.split_once(prefix)
                && rest.contains('\n')
            {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                return digits.parse().with_context(|| format!("no port: {rest:.40}"));
            }
            ensure!(started.elapsed() < READY_WITHIN, "no server after {READY_WITHIN:?}:\n{said}");
            self.keep_running().with_context(|| said.clone())?;
        }
    }
}

impl Drop for Group {
    /// Sends SIGTERM to the group, then SIGKILL after a timeout.
    fn drop(&mut self) {
        if self.over {
            return;
        }
        // An error means that the group has no process left.
        let group = Pid::from_child(&self.leader);
        let _ = kill_process_group(group, Signal::TERM);
        let asked = Instant::now();
        while asked.elapsed() < TERM_TIMEOUT && !matches!(self.leader.try_wait(), Ok(Some(_))) {
            std::thread::sleep(POLL_EVERY);
        }
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.leader.wait();
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
        assert_eq!(shell("printf data").capture().unwrap(), "data");
        assert!(shell("exit 1").capture().is_err());
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
        let error = shell("echo npm error code ENOTFOUND >&2; exit 1").run_online().unwrap_err();
        assert!(error.is::<Skip>(), "{error:?}");
        let error = shell("echo no such script; exit 1").run_online().unwrap_err();
        assert!(!error.is::<Skip>(), "{error:?}");
        shell("echo ENOTFOUND").run_online().unwrap();
        assert!(is_unreachable("[ERROR] Could not transfer artifact a:b:pom:1 from/to central"));
        assert!(is_unreachable("E: Failed getting release file http://mirror.test/dists/trixie"));
    }

    #[test]
    fn test_output_is_logged_and_counted_by_whole_lines() {
        let script = "printf 'test a ..'; sleep 0.05; printf '. ok\\ntest b ... ignored'";
        let log = tempfile::NamedTempFile::new().unwrap();
        let report = shell(script).run_tests(Format::Libtest, Vec::new(), log.path()).unwrap();
        assert_eq!((report.passed, report.skipped), (1, 1));
        let logged = std::fs::read_to_string(log.path()).unwrap();
        assert_eq!(logged, "test a ... ok\ntest b ... ignored");
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
        let (sender, gone) = mpsc::channel();
        std::thread::spawn(move || sender.send(std::fs::read(fifo).unwrap()));
        let mut watch = Watch::new(To::Terminal);
        watch.report = Report::new(Format::Libtest, vec!["a".to_owned(), "b::c".to_owned()]);
        // Long enough for the shells to start on a busy machine.
        watch.stalled_after = Some(Duration::from_secs(5));
        let error = step.watch(watch).err().unwrap().to_string();
        assert!(error.ends_with("killed while running: b::c"), "{error}");
        assert_eq!(gone.recv_timeout(Duration::from_secs(60)).as_deref(), Ok(&[][..]));
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let error = shell("exec sleep 600").run_with_limit(Duration::from_millis(200)).unwrap_err();
        assert!(error.to_string().contains("no progress for 200ms"), "{error:#}");
        shell("exit 0").run_with_limit(Duration::from_secs(60)).unwrap();
    }

    #[test]
    fn the_port_is_read_from_the_log_and_failures_include_it() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let port = |script: &str| {
            let mut server = shell(script).start(Some(log.path())).unwrap();
            server.wait_for_port(log.path(), "server: ")
        };
        assert_eq!(port("printf 'server: 41'; sleep 0.1; echo 23; sleep 60").unwrap(), 4123);
        let error = port("echo no argon2; exit 3").unwrap_err();
        assert!(format!("{error:#}").contains("no argon2"), "{error:#}");
    }
}
