//! Runs every seed and every finding once.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

fn inputs(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn no_seed_and_no_finding_violates_a_property() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, target) in regrant_fuzz::TARGETS {
        let seeds = inputs(&root.join("seeds").join(name));
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for path in seeds.into_iter().chain(inputs(&root.join("findings").join(name))) {
            println!("{}", path.display());
            target(&fs::read(&path).unwrap());
        }
    }
}

/// Keeps the targets of `cargo fuzz` and this list in sync.
#[test]
fn every_target_has_a_fuzzer() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("libfuzzer/fuzz_targets");
    let mut built: Vec<_> =
        inputs(&folder).iter().map(|path| path.file_stem().unwrap().to_owned()).collect();
    let mut known: Vec<OsString> =
        regrant_fuzz::TARGETS.iter().map(|(name, _)| OsString::from(name)).collect();
    built.sort();
    known.sort();
    assert_eq!(built, known);
}
