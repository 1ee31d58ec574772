//! Passing on what a program prints: to the terminal or to a log, past the eyes that look for secrets and for tests.

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

/// How much of the output is kept.
const TAIL: usize = 64 * 1024;
/// How long the output may stay open after the program ended: something that it started and left
/// behind may hold it.
const CLOSES_WITHIN: Duration = Duration::from_secs(2);

/// The threads that pass on both outputs of one program.
pub(crate) struct Relay {
    heard: Arc<Mutex<Heard>>,
    /// Closed once both threads are through.
    open: Receiver<()>,
}

/// What a program has said.
pub(crate) struct Heard {
    tail: VecDeque<u8>,
    /// What is not for the reader.
    pub(crate) stdout: Vec<u8>,
    pub(crate) report: Report,
    pub(crate) secrets: Vec<String>,
    last_output: Instant,
    last_progress: Instant,
}

impl Heard {
    /// The end of what was for the reader.
    pub(crate) fn tail(&self) -> String {
        let bytes: Vec<u8> = self.tail.iter().copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn line(&mut self, line: &str) {
        self.secrets.extend(secrets::complaint(line));
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
        let now = Instant::now();
        let heard = Arc::new(Mutex::new(Heard {
            tail: VecDeque::new(),
            stdout: Vec::new(),
            report,
            secrets: Vec::new(),
            last_output: now,
            last_progress: now,
        }));
        let log = log.map(|path| File::create(path).context(path.display().to_string()));
        let log = log.transpose()?;
        let (sender, open) = channel();
        if let Some(output) = child.stdout.take() {
            let to: Option<Box<dyn Write + Send>> = match &log {
                _ if keep_stdout => None,
                Some(file) => Some(Box::new(file.try_clone()?)),
                None => Some(Box::new(std::io::stdout())),
            };
            pass_on(output, to, heard.clone(), sender.clone());
        }
        if let Some(output) = child.stderr.take() {
            let to: Box<dyn Write + Send> = match log {
                Some(file) => Box::new(file),
                None => Box::new(std::io::stderr()),
            };
            pass_on(output, Some(to), heard.clone(), sender);
        }
        Ok(Self { heard, open })
    }

    /// When the program last said something; its start if never.
    pub(crate) fn last_output(&self) -> Instant {
        lock(&self.heard).last_output
    }

    /// When a test last began or ended, as far as can be told.
    pub(crate) fn last_progress(&self) -> Instant {
        lock(&self.heard).last_progress
    }

    /// The tests that are running now, as far as can be told.
    pub(crate) fn running(&self) -> String {
        lock(&self.heard).report.running()
    }

    /// All that the program said, once it has ended.
    pub(crate) fn finish(self) -> Result<Heard> {
        // Nothing is ever sent: this returns when both threads are through, or after the time.
        let _ = self.open.recv_timeout(CLOSES_WITHIN);
        let mut heard = lock(&self.heard);
        let report = heard.report.clone();
        let now = Instant::now();
        let empty = Heard {
            tail: VecDeque::new(),
            stdout: Vec::new(),
            report,
            secrets: Vec::new(),
            last_output: now,
            last_progress: now,
        };
        Ok(std::mem::replace(&mut heard, empty))
    }
}

/// A line that is longer is looked at in pieces, which overlap.
const LONGEST_LINE: usize = 64 * 1024;

/// Without `to`, the output is kept.
fn pass_on(
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
                // Nobody may be reading what we print; the program is to run on all the same.
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
            if unfinished.len() > LONGEST_LINE {
                heard.line(&String::from_utf8_lossy(&unfinished));
                unfinished.drain(..LONGEST_LINE / 2);
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
