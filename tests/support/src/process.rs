//! A process of a server, ended with whoever started it.

use std::path::Path;
use std::process::{Child, Command, ExitStatus};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::guard::Guard;

/// A running server and who watches over it. Dropped, the server ends at once (SIGKILL).
pub(crate) struct Process {
    child: Child,
    /// Dropped once the child has been dealt with.
    guard: Option<Guard>,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("pid", &self.child.id()).finish_non_exhaustive()
    }
}

impl Process {
    /// Starts `command`, which works in `directory`.
    pub(crate) fn start(command: &mut Command, directory: &Path) -> Result<Self> {
        let mut child = command
            .current_dir(directory)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        match Guard::over(child.id(), directory) {
            Ok(guard) => Ok(Self { child, guard: Some(guard) }),
            Err(error) => {
                child.kill().and_then(|()| child.wait())?;
                Err(error)
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub(crate) fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // First, so that it never kills an id that belongs to another process by then.
        self.guard = None;
        // Failing here means that the process is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
