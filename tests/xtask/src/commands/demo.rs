//! `cargo xtask demo`: the Express example, from nothing to a page.

use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::setup;
use crate::checkout;
use crate::clients::wait_for_port;
use crate::http;
use crate::interrupt;
use crate::npm;
use crate::outcome::Stop;
use crate::process::{Group, Invocation, ensure_running};
use crate::report::{Format, Report};
use crate::tools::Tool;

/// The default port, if it is free.
const USUAL_PORT: u16 = 3000;
/// Startup timeout on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The example prints its address after this prefix.
const ADDRESS_PREFIX: &str = "regrant example: http://localhost:";

/// What to try, once the page is open.
const TRY: &str = "\
1. Sign up (\"I am new here\"). The access token's countdown starts.
2. \"Call the protected API\", before the countdown is at zero and after: 401, refresh, the call again.
3. \"5 at once\", after it has run out again: five calls, one refresh.
4. Open the page in another browser too, look at the devices, and log one of them out.
5. \"Steal my refresh token\": an old token is replayed, and the session is revoked.

Ctrl-C ends it.";

/// Builds and starts the example and serves until interrupted; with `check_only`, fetches its page once and stops.
pub(crate) fn run(check_only: bool) -> Result<(), Stop> {
    if check_only { check() } else { serve() }
}

fn check() -> Result<(), Stop> {
    build()?;
    let folder = tempfile::tempdir()?;
    fetch_page(&folder.path().join("demo.log"))?;
    println!("the page is served");
    Ok(())
}

/// Starts the example on a port of its own and fetches its page.
///
/// # Errors
/// It does not start or does not serve the page.
pub(crate) fn fetch_page(log: &Path) -> Result<Report> {
    let data = tempfile::tempdir()?;
    let mut example = example(0).env("DATA_DIR", data.path()).start_quietly(log)?;
    let port = wait_for_port(&mut example, log, ADDRESS_PREFIX, READY_WITHIN)?;
    wait_for_page(&mut example, port)?;
    Ok(Report::new(Format::Plain, Vec::new()))
}

fn serve() -> Result<(), Stop> {
    let port = port(std::env::var("PORT").ok().as_deref(), http::is_free)?;
    build()?;
    let mut example = start(port)?;
    wait_for_page(&mut example, port)?;
    println!("\nOpen http://localhost:{port}/\n\n{TRY}");
    while !interrupt::requested() {
        ensure_running(&mut example, "the example")?;
        std::thread::sleep(LOOK_EVERY);
    }
    println!("\nstopping the example");
    Ok(())
}

/// Builds the package and installs the example.
///
/// # Errors
/// Something does not compile, or npm or its registry is not there.
pub(crate) fn build() -> Result<(), Stop> {
    setup::install_missing(&[Tool::Node])?;
    if Tool::Node.locate().is_none() {
        return Err(Stop::Skip(Tool::Node.advice().to_owned()));
    }
    println!("--- 1 of 2: the native addon and the npm packages (the first time takes minutes)");
    npm::package(&[checkout::example()])
}

fn start(port: u16) -> Result<Group> {
    println!("--- 2 of 2: the example, {}", store_in_words());
    example(port).env("DATA_DIR", data_folder()).start()
}

fn example(port: u16) -> Invocation {
    let node = Invocation::new("node").args(["server.mjs"]).within(checkout::example());
    node.env("PORT", port.to_string())
}

/// The folder of users, sessions and the secret: `DATA_DIR`, or one in the target folder.
fn data_folder() -> OsString {
    std::env::var_os("DATA_DIR").unwrap_or_else(|| checkout::target().join("demo").into())
}

/// Describes the store. `REDIS_URL` may contain a password and is not printed.
fn store_in_words() -> &'static str {
    match std::env::var_os("REDIS_URL") {
        Some(_) => "sessions in the Redis that REDIS_URL names",
        None => "sessions in a file (set REDIS_URL to keep them in Redis)",
    }
}

fn wait_for_page(example: &mut Group, port: u16) -> Result<()> {
    let started = Instant::now();
    let answer = loop {
        ensure_running(example, "the example")?;
        match http::get(port, "/") {
            Ok(answer) => break answer,
            Err(error) => {
                let late = started.elapsed() > READY_WITHIN;
                ensure!(!late, "no page after {READY_WITHIN:?}: {error:#}");
            }
        }
        std::thread::sleep(LOOK_EVERY);
    };
    ensure!(answer.status == 200, "the page answers with status {}", answer.status);
    ensure!(answer.text.contains("<html"), "the response is not a page: {:.200}", answer.text);
    Ok(())
}

/// The requested port, which must be free; otherwise the default port or the next free one.
fn port(asked: Option<&str>, is_free: impl Fn(u16) -> bool) -> Result<u16> {
    let Some(asked) = asked.filter(|asked| !asked.is_empty()) else {
        let mut nearby = USUAL_PORT..USUAL_PORT + 20;
        return nearby.find(|&port| is_free(port)).context("no free port from 3000 on");
    };
    let port = asked.parse().with_context(|| format!("PORT is not a port: {asked}"))?;
    ensure!(is_free(port), "port {port} (from PORT) is in use");
    Ok(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requested_port_is_used_or_an_error() {
        let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let number = taken.local_addr().unwrap().port().to_string();
        assert!(port(Some(&number), http::is_free).is_err());
        assert_eq!(port(Some("4123"), |_| true).unwrap(), 4123);
        assert!(port(Some("4123"), |_| false).is_err());
        assert!(port(Some("http"), |_| true).is_err());
        assert!(port(Some("70000"), |_| true).is_err());
    }

    #[test]
    fn without_a_requested_port_a_free_port_is_chosen() {
        for unset in [None, Some("")] {
            assert_eq!(port(unset, |_| true).unwrap(), USUAL_PORT);
            assert_eq!(port(unset, |port| port > USUAL_PORT + 4).unwrap(), USUAL_PORT + 5);
            assert!(port(unset, |_| false).is_err());
        }
    }
}
