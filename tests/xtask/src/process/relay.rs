//! Passing a program's output on while keeping its end.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::process::Child;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::secrets::Lines;

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

struct Heard {
    tail: VecDeque<u8>,
    last: Instant,
}

impl Relay {
    /// Takes over the piped outputs of this program.
    pub(crate) fn of(child: &mut Child) -> Self {
        let heard = Arc::new(Mutex::new(Heard { tail: VecDeque::new(), last: Instant::now() }));
        let (sender, open) = channel();
        if let Some(output) = child.stdout.take() {
            pass_on(output, std::io::stdout(), heard.clone(), sender.clone());
        }
        if let Some(output) = child.stderr.take() {
            pass_on(output, std::io::stderr(), heard.clone(), sender);
        }
        Self { heard, open }
    }

    /// When the program last said something; its start if never.
    pub(crate) fn last_output(&self) -> Instant {
        lock(&self.heard).last
    }

    /// The end of what the program said, once it has ended.
    pub(crate) fn finish(self) -> String {
        // Nothing is ever sent: this returns when both threads are through, or after the time.
        let _ = self.open.recv_timeout(CLOSES_WITHIN);
        let tail: Vec<u8> = lock(&self.heard).tail.iter().copied().collect();
        String::from_utf8_lossy(&tail).into_owned()
    }
}

fn pass_on(
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Send + 'static,
    heard: Arc<Mutex<Heard>>,
    open: Sender<()>,
) {
    std::thread::spawn(move || {
        let mut lines = Lines::default();
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let Some(said) = buffer.get(..count) else { break };
            // Nobody may be reading what we print; the program is to run on all the same.
            let _ = to.write_all(said).and_then(|()| to.flush());
            lines.push(said);
            let mut heard = lock(&heard);
            heard.last = Instant::now();
            heard.tail.extend(said);
            let surplus = heard.tail.len().saturating_sub(TAIL);
            heard.tail.drain(..surplus);
        }
        drop(lines);
        drop(open);
    });
}

fn lock(heard: &Mutex<Heard>) -> std::sync::MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}
