//! The guard: ends a server and removes its directory when the test process is gone, however it
//! went.
//!
//! `Drop` does not run for a server kept in a `static`, nor when the test process is killed. A
//! pipe does close in both cases, so a small shell waits for that and ends the server by its id.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// What the shell does: `$1` is the server's process id, `$2` its directory.
const SCRIPT: &str = r#"read -r _; kill -9 "$1" 2>/dev/null; rm -rf -- "$2""#;

/// Ends a server and removes its directory once this value, or the whole test process, is gone.
pub(crate) struct Guard {
    shell: Child,
}

impl Guard {
    /// Watches over the server with this process id, which works in this directory.
    pub(crate) fn over(pid: u32, directory: &Path) -> Result<Self> {
        let shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "guard"])
            .arg(pid.to_string())
            .arg(directory)
            // The write end stays with us and is closed by the kernel when we end.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start /bin/sh to watch over a server")?;
        Ok(Self { shell })
    }
}

impl Drop for Guard {
    /// Ends the watch without touching the server: whoever drops the guard has dealt with it, and
    /// its id may soon belong to another process.
    fn drop(&mut self) {
        // Failing here means that the shell is gone already, which is what is wanted.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
