//! A program and its child processes as one process group.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::{Pid, Signal, kill_process_group};

/// Time between SIGTERM and SIGKILL.
const TERM_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_EVERY: Duration = Duration::from_millis(20);

/// A running program in a process group of its own; the group is killed on drop.
#[derive(Debug)]
pub(crate) struct Group {
    leader: Child,
    over: bool,
}

impl Group {
    /// Starts the program. Ctrl-C in the terminal no longer reaches it directly.
    pub(crate) fn spawn(command: &mut Command) -> std::io::Result<Self> {
        Ok(Self { leader: command.process_group(0).spawn()?, over: false })
    }

    /// The program that was started first.
    pub(crate) fn leader(&mut self) -> &mut Child {
        &mut self.leader
    }

    /// The exit status, once the program has ended.
    pub(crate) fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.leader.try_wait()?;
        self.over = status.is_some();
        Ok(status)
    }

    /// Sends SIGTERM to the group, then SIGKILL after a timeout.
    fn end(&mut self) {
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
        let _ = self.leader.kill();
        let _ = self.leader.wait();
        self.over = true;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}
