//! `node` and `browser`: the npm package, and the example in a real browser.

use std::path::Path;

use anyhow::Context;

use crate::checkout;
use crate::outcome::Stop;
use crate::process::Step;
use crate::tools::Tool;

/// The types, the reference and the tests of the npm package, and those of the example that need no browser.
pub(super) fn run() -> Result<(), Stop> {
    build("build:debug")?;
    npm(&checkout::node(), "typecheck").run()?;
    install(&checkout::reference())?;
    npm(&checkout::reference(), "check").run()?;
    npm(&checkout::node(), "test").run()?;
    install(&checkout::example())?;
    Ok(npm(&checkout::example(), "test").run()?)
}

/// The story that the example's page tells, in Chromium.
pub(super) fn browser() -> Result<(), Stop> {
    build("build:debug")?;
    install(&checkout::example())?;
    let chromium = Tool::Chromium.locate().context("no chromium")?;
    Ok(npm(&checkout::example(), "test:browser").env("CHROMIUM", chromium).run()?)
}

/// Builds the package: `build` optimises the addon, `build:debug` shares what the Rust tests have
/// compiled already and is there much sooner.
pub(crate) fn build(script: &str) -> Result<(), Stop> {
    install(&checkout::node())?;
    Ok(npm(&checkout::node(), script).run()?)
}

/// Installs a folder's npm packages exactly as its lock file says, unless they are.
pub(crate) fn install(folder: &Path) -> Result<(), Stop> {
    let lock = folder.join("package-lock.json");
    let wanted = std::fs::read(&lock)
        .with_context(|| format!("cannot read {}", checkout::relative(&lock)))?;
    // A copy of the lock file that the packages were installed from.
    let stamp = folder.join("node_modules/.installed-lock.json");
    if std::fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        println!("npm packages in {} are as locked", checkout::relative(folder));
        return Ok(());
    }
    Step::new("npm").args(["ci", "--no-audit", "--no-fund"]).within(folder).run_online()?;
    std::fs::create_dir_all(folder.join("node_modules"))?;
    Ok(std::fs::write(stamp, wanted)?)
}

/// `npm run SCRIPT` in a folder.
fn npm(folder: &Path, script: &str) -> Step {
    Step::new("npm").args(["run", script]).within(folder)
}
