//! Compiles the native code of a platform, on any machine: zig is the C compiler and the linker.
//!
//! The result depends on the sources and the toolchains alone. Paths of this machine are replaced in debug information and
//! in messages of panics and assertions; times come from `SOURCE_DATE_EPOCH`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::platform::Platform;
use crate::checkout;
use crate::process::{Invocation, Skip, on_path};

/// From PyPI, into a folder of their own.
const TOOLS: [&str; 2] = ["ziglang==0.17.1", "cargo-zigbuild==0.24.1"];
/// The frameworks of macOS that are linked: by rustls-native-certs, for the certificates of the Keychain, and by whoami, of
/// tokio-postgres.
const FRAMEWORKS: [&str; 3] = ["CoreFoundation", "Security", "SystemConfiguration"];

/// The toolchain for all platforms.
pub(crate) struct Toolchain {
    /// The folder of zig and cargo-zigbuild.
    programs: PathBuf,
    /// When the sources were committed.
    epoch: String,
}

impl Toolchain {
    /// Installs what is missing of zig and cargo-zigbuild into `target/dist/tools`.
    ///
    /// # Errors
    /// There is no Python, or PyPI cannot be reached.
    pub(crate) fn ready() -> Result<Self> {
        let folder = super::work().join("tools");
        let programs = folder.join("bin");
        let stamp = folder.join("installed.txt");
        if !fs::read_to_string(&stamp).is_ok_and(|installed| installed == TOOLS.concat()) {
            let python = on_path("python3").ok_or_else(|| {
                Skip("python3 is missing: apt-get install python3-venv".to_owned())
            })?;
            Invocation::new(python).args(["-m", "venv"]).args([&folder]).run()?;
            let install = ["install", "--quiet", "--disable-pip-version-check"];
            Invocation::new(programs.join("pip")).args(install).args(TOOLS).run_online()?;
            fs::write(stamp, TOOLS.concat())?;
        }
        Ok(Self { programs, epoch: super::epoch()? })
    }

    /// Builds the addon and the library for apps of a platform into its folder.
    ///
    /// # Errors
    /// Something does not compile or link.
    pub(crate) fn build(&self, platform: &Platform) -> Result<()> {
        Invocation::new("rustup").args(["target", "add", platform.target]).run_online()?;
        // What an earlier build left must not be taken for the result of this one.
        let _ = fs::remove_dir_all(platform.folder());
        fs::create_dir_all(platform.folder())?;

        println!("--- {}: the addon for Node.js", platform.name);
        let addon = ["-p", "regrant-node", "--lib", "--release"];
        // Symbols are a sixth of the file, and of use to a profiler only.
        let build = |command| {
            let cargo = self.cargo(command, platform)?.args(addon);
            Ok::<_, anyhow::Error>(cargo.env("CARGO_PROFILE_RELEASE_STRIP", "symbols"))
        };
        if platform.is_windows() {
            let exports = format!("-Clink-arg={}", self.exports(platform)?.display());
            build("rustc")?.args(["--", &exports]).run()?;
        } else {
            build("zigbuild")?.run()?;
        }
        keep(&self.output(platform, "release", "regrant_node")?, &platform.addon())?;

        println!("--- {}: the library for Kotlin and Swift", platform.name);
        let library = ["-p", "regrant-uniffi", "--lib", "--no-default-features"];
        self.cargo("zigbuild", platform)?.args(library).args(["--profile", "mobile"]).run()?;
        keep(&self.output(platform, "mobile", "regrant_uniffi")?, &platform.library())?;
        if platform.is_apple() {
            let archive = "libregrant_uniffi.a";
            let built = self.target_folder().join(platform.target).join("mobile").join(archive);
            keep(&built, &platform.folder().join(archive))?;
        }

        platform.note_build()?;
        // The intermediate files of a platform take more than a gigabyte.
        Ok(fs::remove_dir_all(self.target_folder().join(platform.target))?)
    }

    fn target_folder(&self) -> PathBuf {
        super::work().join("build")
    }

    /// A command of cargo-zigbuild for a platform.
    fn cargo(&self, command: &str, platform: &Platform) -> Result<Invocation> {
        let mut folders = vec![self.programs.clone()];
        folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let mut rustc = remapped("--remap-path-prefix=")?;
        let c = remapped("-ffile-prefix-map=")?.join(" ");
        if platform.target.ends_with("musl") {
            // A static library of C cannot be loaded by Node.js, which has its own.
            rustc.push("-Ctarget-feature=-crt-static".to_owned());
        }
        if platform.is_apple() {
            rustc.push(format!("-Clink-arg=-F{}", frameworks()?.display()));
            rustc.push("-Clink-arg=-Wl,-undefined,dynamic_lookup".to_owned());
        }
        let cargo = Invocation::new(self.programs.join("cargo-zigbuild"))
            .args([command, "--locked", "--target"])
            .args([format!("{}{}", platform.target, platform.glibc)])
            .env("PATH", std::env::join_paths(folders)?)
            .env("CARGO_TARGET_DIR", self.target_folder())
            .env("CARGO_ENCODED_RUSTFLAGS", rustc.join("\x1f"))
            .env("TARGET_CFLAGS", c)
            .env("SOURCE_DATE_EPOCH", &self.epoch);
        if platform.is_apple() {
            return Ok(cargo.env("MACOSX_DEPLOYMENT_TARGET", "11.0"));
        }
        if platform.is_windows() {
            return Ok(cargo.env("LIBNODE_PATH", libnode()?));
        }
        Ok(cargo)
    }

    /// An object file that exports what Node.js calls. cargo-zigbuild leaves rustc's list of exports out; the linker then
    /// exports everything, but only in a library in which nothing is marked as exported, and AWS-LC marks some functions.
    fn exports(&self, platform: &Platform) -> Result<PathBuf> {
        let folder = super::work().join("exports");
        fs::create_dir_all(&folder)?;
        let (source, object) = (folder.join("exports.c"), folder.join("exports.o"));
        fs::write(
            &source,
            "__attribute__((section(\".drectve\"), used))\n\
             static const char exports[] = \" -export:napi_register_module_v1 \";\n",
        )?;
        let target = platform.target.replace("-pc-", "-");
        Invocation::new(self.programs.join("python"))
            .args(["-m", "ziglang", "cc", "-target", &target, "-c"])
            .args(["-o".as_ref(), object.as_os_str(), source.as_os_str()])
            .run()?;
        Ok(object)
    }

    /// The dynamic library that a build of this crate produced.
    fn output(&self, platform: &Platform, profile: &str, name: &str) -> Result<PathBuf> {
        let folder = self.target_folder().join(platform.target).join(profile);
        let names = [format!("{name}.dll"), format!("lib{name}.dylib"), format!("lib{name}.so")];
        let mut paths = names.iter().map(|name| folder.join(name));
        paths.find(|path| path.is_file()).context("Cargo has built no library")
    }
}

fn keep(built: &Path, place: &Path) -> Result<()> {
    let bytes = fs::copy(built, place).context("cannot copy the library")?;
    println!("    {}: {} KB", checkout::relative(place), bytes / 1000);
    Ok(())
}

/// Options that replace the paths of this machine: those of the checkout and of the sources that Cargo has downloaded.
fn remapped(option: &str) -> Result<Vec<String>> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let home = home.context("the folder of Cargo is unknown: set CARGO_HOME")?;
    let mut options = vec![format!("{option}{}=/regrant", checkout::root().display())];
    let sources = home.join("registry/src");
    let registries = fs::read_dir(&sources).with_context(|| sources.display().to_string())?;
    for registry in registries {
        options.push(format!("{option}{}=/cargo", registry?.path().display()));
    }
    Ok(options)
}

/// A folder of stubs of Apple's frameworks. Their SDK cannot be downloaded; a stub only says which file contains a
/// framework, so that the library asks for it, and its symbols are looked up when it is loaded.
fn frameworks() -> Result<PathBuf> {
    let folder = super::work().join("frameworks");
    for name in FRAMEWORKS {
        let framework = folder.join(format!("{name}.framework"));
        fs::create_dir_all(&framework)?;
        fs::write(framework.join(format!("{name}.tbd")), stub(name))?;
    }
    Ok(folder)
}

/// A folder of an empty library in place of Node.js. For Windows napi-build demands `libnode.dll` and links the library
/// `node`, although the addon looks the functions of Node.js up when it is loaded (`dyn-symbols`).
fn libnode() -> Result<PathBuf> {
    let folder = super::work().join("libnode");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("libnode.dll"), "")?;
    // The names under which linkers look for a library.
    for name in ["libnode.a", "libnode.dll.a", "node.lib"] {
        fs::write(folder.join(name), "!<arch>\n")?;
    }
    Ok(folder)
}

fn stub(framework: &str) -> String {
    format!(
        "--- !tapi-tbd\n\
         tbd-version: 4\n\
         targets: [ x86_64-macos, arm64-macos ]\n\
         install-name: '/System/Library/Frameworks/{framework}.framework/Versions/A/{framework}'\n\
         ...\n"
    )
}

/// Fails if a file contains a path of this machine, which another machine would not have written.
pub(crate) fn ensure_no_local_paths(file: &Path) -> Result<()> {
    let bytes = fs::read(file)?;
    let root = checkout::root();
    for path in [root.clone(), root.join("target")] {
        let needle = path.display().to_string();
        let found = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
        ensure!(!found, "{} contains the path of this checkout", checkout::relative(file));
    }
    Ok(())
}
