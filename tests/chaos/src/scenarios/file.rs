//! A file store of several processes of one machine.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use regrant::store::StoreAddress;

use super::{APPS, Run, Scenario};
use crate::load::{Load, ShiftedClock};
use crate::report::Report;

pub(super) const FULL: Scenario = Scenario {
    name: "file-full",
    about: "the disk of a file store is full for a while (a small file system; needs root)",
    rounds: 16,
    quick_rounds: 2,
    run: full,
};

pub(super) const CLOCK: Scenario = Scenario {
    name: "file-clock",
    about: "the clock jumps 20 days back under load, and 100 days ahead while other users log in",
    rounds: 16,
    quick_rounds: 2,
    run: clock,
};

fn urls(folder: &Path) -> Vec<String> {
    vec![format!("file:{}", folder.join("sessions.db").display()); APPS]
}

/// A small file system in memory, unmounted on drop.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Fails without root.
    fn mount(folder: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "regrant-chaos"]).arg(folder);
        let mounted = mount.status().is_ok_and(|status| status.success());
        mounted.then(|| Self(folder.to_owned()))
    }

    /// Fills the file system to the last byte; returns what to delete.
    fn fill(&self) -> Result<PathBuf> {
        let path = self.0.join("ballast");
        let mut ballast = File::create(&path)?;
        let mut block = &[0; 4096][..];
        while !block.is_empty() {
            if ballast.write_all(block).is_err() {
                block = &block[..block.len() / 2];
            }
        }
        Ok(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the files of the load may still be open.
        let unmounted = Command::new("umount").arg("-l").arg(&self.0).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} was not unmounted", self.0.display());
        }
    }
}

fn full(run: &mut Run) -> Result<Report> {
    let folder = tempfile::Builder::new().prefix("regrant-chaos-").tempdir()?;
    let Some(disk) = SmallDisk::mount(folder.path()) else {
        return Ok(run.skip("no file system could be mounted, which needs root"));
    };
    let load = run.load_alone(&urls(folder.path()), false)?;
    for round in 0..run.rounds {
        let ballast = disk.fill()?;
        run.faults += 1;
        std::thread::sleep(Duration::from_millis(run.random.u64(300..1500)));
        fs::remove_file(ballast)?;
        run.pause();
        run.progress(round, &load, "the disk was full for a while");
    }
    run.finish(load)
}

fn clock(run: &mut Run) -> Result<Report> {
    const DAY: i64 = 86_400_000;
    let folder = tempfile::Builder::new().prefix("regrant-chaos-").tempdir()?;
    let clock = Arc::new(ShiftedClock::default());
    let addresses: Vec<_> = urls(folder.path()).iter().map(StoreAddress::new).collect();
    let load = Load::start(run.name, run.seed, &addresses, false, Some(Arc::clone(&clock)))?;
    run.pause();
    for round in 0..run.rounds {
        let what = if round % 2 == 0 {
            // A session that begins by a clock that is behind ends early: nothing tells.
            load.stop_logins(true);
            clock.shift(-20 * DAY);
            std::thread::sleep(Duration::from_millis(run.random.u64(300..1500)));
            clock.shift(0);
            load.stop_logins(false);
            "the clock was 20 days behind"
        } else {
            // A client that refreshes during the jump is told that its session has expired; no other is affected.
            load.hold();
            clock.shift(100 * DAY);
            load.visit(20);
            clock.shift(0);
            load.release();
            "the clock was 100 days ahead"
        };
        run.faults += 1;
        run.pause();
        run.progress(round, &load, what);
    }
    run.finish(load)
}
