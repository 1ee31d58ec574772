//! The packages of a release: for npm, Maven, SwiftPM and Cargo.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use super::platform::Platform;
use super::{epoch, work};
use crate::checkout::{self, KOTLIN, NODE, SWIFT};
use crate::clients;
use crate::commands::version;
use crate::npm;
use crate::process::Invocation;
use crate::tools::{self, Tool};

/// A kind of package.
pub(crate) struct Package {
    /// Its name on the command line, and of its folder in `dist`.
    pub(crate) name: &'static str,
    /// Packs what was built for these platforms into a folder.
    pub(crate) pack: fn(&[&Platform], &Path) -> Result<()>,
}

pub(crate) const ALL: [Package; 4] = [
    Package { name: "npm", pack: npm_packages },
    Package { name: "maven", pack: jar },
    Package { name: "swift", pack: swift },
    Package { name: "crates", pack: crates },
];
/// The static library for Apple platforms.
const ARCHIVE: &str = "libregrant_uniffi.a";
/// The crates that are published, in the order of their dependencies.
const CRATES: [&str; 2] = ["regrant", "regrant-cli"];

/// The package, and one with the addon for each platform.
fn npm_packages(built: &[&Platform], out: &Path) -> Result<()> {
    tools::check(&[Tool::Node])?;
    npm::install(NODE)?;
    let types = checkout::path(NODE).join("native.d.cts");
    ensure!(types.is_file(), "the types of the addon are missing: run `cargo xtask addon` first");
    npm::npm(NODE, "build:ts").run()?;
    let folders = built.iter().map(|platform| platform.folder());
    Invocation::new("node")
        .args(["pack-release.mjs".as_ref(), out])
        .args(folders)
        .within(NODE)
        .run()
}

/// The jar with the library of every platform that JNA knows, its sources and documentation, and the metadata for Maven
/// and Gradle.
fn jar(built: &[&Platform], out: &Path) -> Result<()> {
    tools::require(&[Tool::Jdk, Tool::Maven])?;
    let natives = work().join("jna");
    let _ = fs::remove_dir_all(&natives);
    for platform in built {
        let library = platform.library();
        if let Some(folder) = platform.jna.filter(|_| library.is_file()) {
            let folder = natives.join(folder);
            fs::create_dir_all(&folder)?;
            let name = library.file_name().context("a library has a name")?;
            fs::copy(&library, folder.join(name))?;
        }
    }
    clients::kotlin_sources()?;
    // A jar contains times.
    let timestamp = format!("-Dproject.build.outputTimestamp={}", epoch()?);
    Invocation::new("mvn")
        .args(["-B", "-ntp", "-q", "-Dmaven.test.skip=true"])
        .args([timestamp, format!("-Dregrant.natives={}", natives.display())])
        .args(["package"])
        .within(KOTLIN)
        .run_online()?;
    let folder = checkout::path(KOTLIN);
    let version = version::current()?;
    for suffix in [".jar", "-sources.jar", "-javadoc.jar"] {
        let name = format!("regrant-{version}{suffix}");
        fs::copy(folder.join("target").join(&name), out.join(&name)).context(name)?;
    }
    for (from, suffix) in [("pom.xml", "pom"), ("target/gradle/regrant.module", "module")] {
        fs::copy(folder.join(from), out.join(format!("regrant-{version}.{suffix}")))?;
    }
    Ok(())
}

/// The SwiftPM package with the generated sources; on Apple platforms it needs the XCFramework that is added if their
/// libraries were built.
fn swift(built: &[&Platform], out: &Path) -> Result<()> {
    clients::swift_sources()?;
    let version = version::current()?;
    let name = format!("regrant-swift-{version}");
    let folder = work().join("swift").join(&name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    for item in ["Package.swift", "README.md", "Sources", "Sample", "Tests"] {
        let from = checkout::path(SWIFT).join(item);
        Invocation::new("cp").args(["-R".as_ref(), from.as_os_str(), folder.as_os_str()]).run()?;
    }
    for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
        fs::copy(checkout::path(licence), folder.join(licence))?;
    }
    let linux =
        |platform: &&&Platform| platform.target.contains("linux") && platform.library().is_file();
    for platform in built.iter().filter(linux) {
        let libraries = folder.join("lib").join(platform.name);
        fs::create_dir_all(&libraries)?;
        fs::copy(platform.library(), libraries.join("libregrant_uniffi.so"))?;
    }
    let archive = |platform: &&&Platform| platform.folder().join(ARCHIVE).is_file();
    let apple: Vec<_> = built.iter().filter(archive).copied().collect();
    if apple.is_empty() {
        println!("without an XCFramework: nothing is built for Apple platforms");
    } else {
        xcframework(&apple, &folder)?;
    }
    // The same bytes on every machine.
    let archive = out.join(format!("{name}.tar"));
    Invocation::new("tar")
        .args(["--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
        .args(["--mode=u+rw,go+r-w", "--format=ustar"])
        .args([format!("--mtime=@{}", epoch()?), format!("--file={}", archive.display())])
        .args([format!("--directory={}", work().join("swift").display()), name])
        .run()?;
    Invocation::new("gzip").args(["--no-name", "--best"]).args([archive]).run()
}

/// An XCFramework is a folder with a property list; Apple's tool is needed neither to write nor to read it. It contains a
/// static library, for which nothing is linked: that of Apple silicon, if it was built. One for both processors would need
/// Apple's `lipo`.
fn xcframework(built: &[&Platform], package: &Path) -> Result<()> {
    let silicon = built.iter().find(|platform| platform.name == "darwin-arm64");
    let platform = silicon.or(built.first()).context("nothing is built for macOS")?;
    let processor = if platform.target.starts_with("aarch64") { "arm64" } else { "x86_64" };
    let identifier = format!("macos-{processor}");
    let framework = package.join("RegrantFFI.xcframework");
    let folder = framework.join(&identifier);
    fs::create_dir_all(folder.join("Headers"))?;
    fs::copy(platform.folder().join(ARCHIVE), folder.join(ARCHIVE))?;
    let headers = checkout::path(SWIFT).join("Sources/RegrantFFI");
    for header in fs::read_dir(headers)? {
        let header = header?;
        fs::copy(header.path(), folder.join("Headers").join(header.file_name()))?;
    }
    let list = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <plist version=\"1.0\"><dict><key>AvailableLibraries</key><array><dict>\
         <key>HeadersPath</key><string>Headers</string>\
         <key>LibraryIdentifier</key><string>{identifier}</string>\
         <key>LibraryPath</key><string>libregrant_uniffi.a</string>\
         <key>SupportedArchitectures</key><array><string>{processor}</string></array>\
         <key>SupportedPlatform</key><string>macos</string></dict></array>\
         <key>CFBundlePackageType</key><string>XFWK</string>\
         <key>XCFrameworkFormatVersion</key><string>1.0</string></dict></plist>\n"
    );
    Ok(fs::write(framework.join("Info.plist"), list)?)
}

/// The crates, compiled from what was packed.
fn crates(_: &[&Platform], out: &Path) -> Result<()> {
    let selected = CRATES.iter().flat_map(|name| ["-p", name]);
    Invocation::new("cargo")
        .args(["package", "--locked", "--allow-dirty"])
        .args(selected)
        .run_online()?;
    let version = version::current()?;
    for name in CRATES {
        let name = format!("{name}-{version}.crate");
        fs::copy(checkout::target().join("package").join(&name), out.join(&name)).context(name)?;
    }
    Ok(())
}
