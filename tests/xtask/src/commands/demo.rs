//! `cargo xtask demo`: the Express example, from nothing to a page.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::setup;
use crate::checkout;
use crate::http;
use crate::interrupt;
use crate::outcome::Stop;
use crate::process::{Group, Step};
use crate::stages::node;
use crate::tools::Tool;

/// The port where none is asked for and this one is free.
const USUAL_PORT: u16 = 3000;
/// How long the example may take until its page is there.
const READY_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What to try, once the page is open.
const TRY: &str = "\
1. Sign up (\"I am new here\"). The access token's countdown starts.
2. \"Call the protected API\", before the countdown is at zero and after: 401, refresh, the call again.
3. \"5 at once\", after it has run out again: five calls, one refresh.
4. Open the page in another browser too, look at the devices, and log one of them out.
5. \"Steal my refresh token\": an old token is played back, and the session is revoked.

Ctrl-C ends it.";

/// Builds and starts the example, and serves until interrupted; with `check_only` until its page
/// was fetched once.
pub(crate) fn run(check_only: bool) -> Result<ExitCode> {
    let end = if check_only { check() } else { serve() };
    match end {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(Stop::Skip(reason)) => bail!("{reason}"),
        Err(Stop::Fail(_)) if interrupt::requested() => Ok(ExitCode::from(interrupt::EXIT_CODE)),
        Err(Stop::Fail(error)) => Err(error),
    }
}

/// The whole way to the page, on a port of its own, and the end.
pub(crate) fn check() -> Result<(), Stop> {
    build()?;
    let port = http::free_port()?;
    let mut example = start(port)?;
    wait_for_page(&mut example, port)?;
    println!("the page at http://localhost:{port}/ is there");
    Ok(())
}

fn serve() -> Result<(), Stop> {
    let port = port(std::env::var("PORT").ok().as_deref())?;
    build()?;
    let mut example = start(port)?;
    wait_for_page(&mut example, port)?;
    println!("\nOpen http://localhost:{port}/\n\n{TRY}");
    while !interrupt::requested() {
        if let Some(status) = example.try_wait()? {
            Err(anyhow::anyhow!("the example ended by itself: {status}"))?;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    println!("\nending the example");
    Ok(())
}

fn build() -> Result<(), Stop> {
    setup::install_missing(&[Tool::Node])?;
    if Tool::Node.locate().is_none() {
        return Err(Stop::Skip(Tool::Node.advice().to_owned()));
    }
    println!("--- 1 of 3: the native addon and the npm package (the first time takes minutes)");
    node::build("build")?;
    println!("--- 2 of 3: the example's npm packages");
    node::install(&checkout::example())
}

fn start(port: u16) -> Result<Group> {
    println!("--- 3 of 3: the example, {}", store_in_words());
    Step::new("npm")
        .args(["start"])
        .within(checkout::example())
        .env("PORT", port.to_string())
        .env("DATA_DIR", data_folder())
        .start()
}

/// Where users, sessions and the secret outlive a restart, unless `DATA_DIR` names a folder.
fn data_folder() -> OsString {
    std::env::var_os("DATA_DIR").unwrap_or_else(|| checkout::target().join("demo").into())
}

/// Where the sessions will be. `REDIS_URL` may carry a password, so it is not printed.
fn store_in_words() -> &'static str {
    match std::env::var_os("REDIS_URL") {
        Some(_) => "sessions in the Redis that REDIS_URL names",
        None => "sessions in a file (set REDIS_URL to keep them in Redis)",
    }
}

fn wait_for_page(example: &mut Group, port: u16) -> Result<()> {
    let started = Instant::now();
    let answer = loop {
        if let Some(status) = example.try_wait()? {
            bail!("the example ended before it served a page: {status}");
        }
        ensure!(!interrupt::requested(), "interrupted");
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
    ensure!(answer.text.contains("<html"), "what is served is not a page: {:.200}", answer.text);
    Ok(())
}

/// The port that was asked for, which then must be free; else the usual one or one nearby.
fn port(asked: Option<&str>) -> Result<u16> {
    let Some(asked) = asked.filter(|asked| !asked.is_empty()) else {
        let mut nearby = USUAL_PORT..USUAL_PORT + 20;
        return nearby.find(|&port| http::is_free(port)).context("no free port from 3000 on");
    };
    let port = asked.parse().with_context(|| format!("PORT is not a port: {asked}"))?;
    ensure!(http::is_free(port), "port {port} (from PORT) is in use");
    Ok(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asked_for_port_is_taken_as_it_is_or_refused() {
        let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let number = taken.local_addr().unwrap().port();
        assert!(port(Some(&number.to_string())).is_err());
        drop(taken);
        assert_eq!(port(Some(&number.to_string())).unwrap(), number);
        assert!(port(Some("http")).is_err());
        assert!(port(Some("70000")).is_err());
    }

    #[test]
    fn without_one_a_free_port_is_found() {
        for unset in [None, Some("")] {
            assert!(port(unset).unwrap() >= USUAL_PORT);
        }
    }
}
