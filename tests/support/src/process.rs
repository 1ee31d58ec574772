//! A server process that ends with the test process, however the test process ends.
//!
//! `Drop` does not run for a server in a `static`, nor when the test process is killed. But a pipe
//! is closed in both cases: a small shell waits for that and kills the server by its id.

use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// A running server. Killed (SIGKILL) on drop.
pub(crate) struct Process {
    child: Child,
    guard: Option<Guard>,
}

impl std::fmt::Debug for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Process").field("pid", &self.child.id()).finish_non_exhaustive()
    }
}

impl Process {
    /// Starts `command` with `directory` as its working directory.
    pub(crate) fn start(command: &mut Command, directory: &Path) -> Result<Self> {
        let mut child = command
            .current_dir(directory)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        match Guard::new(child.id(), directory) {
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

    /// The exit status, if the process has ended.
    pub(crate) fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), signal)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // First: after `wait` the id may belong to another process, which the guard must not kill.
        self.guard = None;
        // An error means that the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The script of the guard: `$1` is the process id of the server, `$2` its directory.
const GUARD: &str = r#"read -r _; kill -9 "$1" 2>/dev/null; rm -rf -- "$2""#;

/// Kills a server and removes its directory when the test process has ended.
struct Guard {
    shell: Child,
}

impl Guard {
    fn new(pid: u32, directory: &Path) -> Result<Self> {
        let shell = Command::new("/bin/sh")
            .args(["-c", GUARD, "guard"])
            .arg(pid.to_string())
            .arg(directory)
            // The kernel closes the other end of this pipe when the test process ends.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start /bin/sh to guard a server")?;
        Ok(Self { shell })
    }
}

impl Drop for Guard {
    /// Stops guarding, without touching the server.
    fn drop(&mut self) {
        // An error means that the shell has ended already.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
