//! A program together with everything that it starts, ended together.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::{Pid, Signal, kill_process_group};

/// How long a program may take to end by itself once asked to.
const END_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running program in a process group of its own; the group is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Group {
    leader: Child,
    over: bool,
}

impl Group {
    /// Starts the program. Ctrl-C in the terminal no longer reaches it by itself.
    pub(crate) fn spawn(command: &mut Command) -> std::io::Result<Self> {
        Ok(Self { leader: command.process_group(0).spawn()?, over: false })
    }

    /// The program that was started first.
    pub(crate) fn leader(&mut self) -> &mut Child {
        &mut self.leader
    }

    /// How the program ended, if it has.
    pub(crate) fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.leader.try_wait()?;
        self.over = status.is_some();
        Ok(status)
    }

    /// Asks all of them to end, and makes them after a while.
    fn end(&mut self) {
        if self.over {
            return;
        }
        // Failing here means that there is nobody left to signal, which is what is wanted.
        let group = Pid::from_child(&self.leader);
        let _ = kill_process_group(group, Signal::TERM);
        let asked = Instant::now();
        while asked.elapsed() < END_WITHIN && !matches!(self.leader.try_wait(), Ok(Some(_))) {
            std::thread::sleep(LOOK_EVERY);
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
