//! A process that verifies one access token in a tight loop until it is rejected. The instants are
//! from a clock that all processes of the machine share.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use regrant::ErrorCode;
use regrant::store::StoreAddress;

use super::command;
use crate::callers::auth::auth;
use crate::machine::monotonic;

pub(super) const NAME: &str = "verifier";

/// A generous timeout: a feed that needs this long is broken.
const LONG_ENOUGH: Duration = Duration::from_secs(20);

/// The line that the process prints once the token was accepted.
const ACCEPTED: &str = "accepted";

/// The process, as its parent sees it.
pub(crate) struct Verifier {
    process: Child,
    tokens: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Verifier {
    /// Starts the process; returns once it has read the feed of revocations.
    pub(crate) fn start(store: &str) -> Result<Self> {
        let mut process =
            command(NAME, store)?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let tokens = process.stdin.take().context("no standard input")?;
        let answers = BufReader::new(process.stdout.take().context("no standard output")?);
        let mut verifier = Self { process, tokens, answers };
        ensure!(verifier.answer()? == "ready", "the verifier is not ready");
        Ok(verifier)
    }

    /// Starts the verification of a token; returns once it was accepted.
    pub(crate) fn accept(&mut self, token: &str) -> Result<()> {
        writeln!(self.tokens, "{token}")?;
        self.tokens.flush()?;
        ensure!(self.answer()? == ACCEPTED, "the verifier did not accept");
        Ok(())
    }

    /// Waits until the token is rejected; returns the instant.
    pub(crate) fn refused(&mut self) -> Result<Duration> {
        Ok(Duration::from_nanos(self.answer()?.parse()?))
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        ensure!(!line.is_empty(), "the verifier has exited; see above");
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Verifier {
    fn drop(&mut self) {
        // An error means that the process has exited already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(super) fn run(store: &str) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let _within = runtime.enter();
    let auth = auth(StoreAddress::new(store))?;
    let began = Instant::now();
    while auth.feed_lag().is_none() {
        ensure!(began.elapsed() < LONG_ENOUGH, "the feed was not read");
        std::thread::sleep(Duration::from_millis(1));
    }
    say("ready")?;
    for token in std::io::stdin().lines() {
        let token = token?;
        auth.verify(&token)?;
        say(ACCEPTED)?;
        say(&until_refused(&auth, &token)?.as_nanos().to_string())?;
    }
    Ok(())
}

fn until_refused(auth: &regrant::Auth, token: &str) -> Result<Duration> {
    let began = monotonic();
    loop {
        let outcome = auth.verify(token);
        let now = monotonic();
        match outcome {
            Ok(_) => ensure!(now - began < LONG_ENOUGH, "the token was not rejected"),
            Err(error) if error.code() == ErrorCode::AccessRevoked => return Ok(now),
            Err(error) => bail!(error),
        }
    }
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
