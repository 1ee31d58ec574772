//! Forwards the output of a program to the terminal or a log, and scans it for secrets and test results.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::report::Report;
use crate::secrets;

/// How many bytes of output are kept.
const TAIL: usize = 64 * 1024;
/// How long to wait for end of output after the program ended: a surviving child may hold it open.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// The threads that forward both outputs of one program.
pub(crate) struct Relay {
    heard: Arc<Mutex<Heard>>,
    /// Closed when both threads have ended.
    open: Receiver<()>,
}

/// The output of a program so far.
pub(crate) struct Heard {
    tail: VecDeque<u8>,
    /// Captured standard output.
    pub(crate) stdout: Vec<u8>,
    pub(crate) report: Report,
    pub(crate) secrets: Vec<String>,
    last_output: Instant,
    last_progress: Instant,
}

impl Heard {
    fn new(report: Report) -> Self {
        let now = Instant::now();
        Self {
            tail: VecDeque::new(),
            stdout: Vec::new(),
            report,
            secrets: Vec::new(),
            last_output: now,
            last_progress: now,
        }
    }

    /// The end of the printed output.
    pub(crate) fn tail(&self) -> String {
        let bytes: Vec<u8> = self.tail.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn line(&mut self, line: &str) {
        self.secrets.extend(secrets::violation(line));
        if self.report.line(line) {
            self.last_progress = Instant::now();
        }
    }
}

impl Relay {
    /// Takes over the piped outputs of this program.
    pub(crate) fn of(
        child: &mut Child,
        report: Report,
        keep_stdout: bool,
        log: Option<&Path>,
    ) -> Result<Self> {
        let heard = Arc::new(Mutex::new(Heard::new(report)));
        let log = log.map(|path| File::create(path).context(path.display().to_string()));
        let log = log.transpose()?;
        let (sender, open) = channel();
        if let Some(output) = child.stdout.take() {
            let to: Option<Box<dyn Write + Send>> = match &log {
                _ if keep_stdout => None,
                Some(file) => Some(Box::new(file.try_clone()?)),
                None => Some(Box::new(std::io::stdout())),
            };
            forward(output, to, heard.clone(), sender.clone());
        }
        if let Some(output) = child.stderr.take() {
            let to: Box<dyn Write + Send> = match log {
                Some(file) => Box::new(file),
                None => Box::new(std::io::stderr()),
            };
            forward(output, Some(to), heard.clone(), sender);
        }
        Ok(Self { heard, open })
    }

    /// The time of the last output; the start if there was none.
    pub(crate) fn last_output(&self) -> Instant {
        lock(&self.heard).last_output
    }

    /// The time at which a test last started or ended, as far as known.
    pub(crate) fn last_progress(&self) -> Instant {
        lock(&self.heard).last_progress
    }

    /// The tests that are running now, as far as known.
    pub(crate) fn running(&self) -> String {
        lock(&self.heard).report.running()
    }

    /// The output of a program that has ended.
    pub(crate) fn finish(self) -> Result<Heard> {
        // Nothing is ever sent: returns when both threads have ended, or on timeout.
        let _ = self.open.recv_timeout(CLOSE_TIMEOUT);
        let mut heard = lock(&self.heard);
        let report = heard.report.clone();
        Ok(std::mem::replace(&mut heard, Heard::new(report)))
    }
}

/// Longer lines are scanned in overlapping pieces.
const MAX_LINE: usize = 64 * 1024;

/// Forwards the output to `to`, or captures it.
fn forward(
    mut from: impl Read + Send + 'static,
    mut to: Option<Box<dyn Write + Send>>,
    heard: Arc<Mutex<Heard>>,
    open: Sender<()>,
) {
    std::thread::spawn(move || {
        let mut unfinished = Vec::new();
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let Some(said) = buffer.get(..count) else { break };
            if let Some(to) = &mut to {
                // Our own output may be closed; the program must continue anyway.
                let _ = to.write_all(said).and_then(|()| to.flush());
            }
            let mut heard = lock(&heard);
            heard.last_output = Instant::now();
            if to.is_some() {
                heard.tail.extend(said);
                let surplus = heard.tail.len().saturating_sub(TAIL);
                heard.tail.drain(..surplus);
            } else {
                heard.stdout.extend(said);
            }
            unfinished.extend(said);
            while let Some(end) = unfinished.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = unfinished.drain(..=end).collect();
                heard.line(String::from_utf8_lossy(&line).trim_end());
            }
            if unfinished.len() > MAX_LINE {
                heard.line(&String::from_utf8_lossy(&unfinished));
                unfinished.drain(..MAX_LINE / 2);
            }
        }
        if !unfinished.is_empty() {
            lock(&heard).line(&String::from_utf8_lossy(&unfinished));
        }
        drop(open);
    });
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Format;

    #[test]
    fn partial_lines_are_joined() {
        let report = Report::new(Format::Libtest, Vec::new());
        let script = "printf 'test a ..'; sleep 0.05; printf '. ok\\ntest b ... ignored\\n'";
        let mut child = std::process::Command::new("/bin/sh")
            .args(["-c", script])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let log = tempfile::NamedTempFile::new().unwrap();
        let relay = Relay::of(&mut child, report, false, Some(log.path())).unwrap();
        child.wait().unwrap();
        let heard = relay.finish().unwrap();
        assert_eq!((heard.report.passed, heard.report.skipped), (1, 1));
        assert_eq!(heard.tail(), std::fs::read_to_string(log.path()).unwrap());
    }
}
