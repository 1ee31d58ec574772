//! `cargo xtask demo`: the Express example, from nothing to a page.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::checkout::{self, EXAMPLE};
use crate::interrupt;
use crate::npm;
use crate::process::{Group, Invocation, READY_WITHIN};
use crate::report::{Format, Report};
use crate::tools::{self, Tool};

/// The default port, if it is free.
const USUAL_PORT: u16 = 3000;
/// The example prints its address after this prefix.
const ADDRESS_PREFIX: &str = "regrant example: http://localhost:";

/// What to try, once the page is open.
const TRY: &str = "\
1. Sign up (\"I am new here\"). The access token's countdown starts.
2. \"Call the protected API\", before the countdown is at zero and after: one refresh, then the call.
3. \"5 at once\", after it has run out again: five calls, one refresh.
4. Open the page in another browser too, look at the devices, and log one of them out.
5. \"Thief comes late\", \"Thief comes first\": an old token is presented, and the session is revoked for both.

Ctrl-C ends it.";

/// Builds and starts the example and serves until interrupted; with `check`, tries it once and stops.
pub(crate) fn run(check: bool) -> Result<()> {
    if !check {
        return serve();
    }
    build()?;
    let folder = tempfile::tempdir()?;
    try_once(&folder.path().join("demo.log"))?;
    println!("the page is served; sign-up, refresh and logout work");
    Ok(())
}

/// Builds the package and installs the example.
///
/// # Errors
/// Something does not compile, or npm or its registry is not there.
pub(crate) fn build() -> Result<()> {
    tools::require(&[Tool::Node])?;
    println!("--- 1 of 2: the native addon and the npm packages (the first time takes minutes)");
    npm::package(false, &[EXAMPLE])
}

fn serve() -> Result<()> {
    let port = port(std::env::var("PORT").ok().as_deref(), is_free)?;
    build()?;
    // An address may contain a password and is not printed.
    let is_set = |name| std::env::var_os(name).is_some();
    let store = match (is_set("REDIS_URL"), is_set("POSTGRES_URL")) {
        (true, _) => "sessions in the Redis that REDIS_URL names",
        (_, true) => "sessions in the PostgreSQL that POSTGRES_URL names",
        _ => "sessions in a file (set REDIS_URL or POSTGRES_URL to keep them there)",
    };
    println!("--- 2 of 2: the example, {store}");
    let data = std::env::var_os("DATA_DIR");
    let data = data.unwrap_or_else(|| checkout::target().join("demo").into());
    let mut example = example(port).env("DATA_DIR", data).start(None)?;
    wait_for_page(&mut example, port)?;
    println!("\nOpen http://localhost:{port}/\n\n{TRY}");
    while !interrupt::requested() {
        example.keep_running()?;
    }
    println!("\nstopping the example");
    Ok(())
}

/// Starts the example on a port of its own, with sessions where the environment says; fetches its page and uses a session.
///
/// # Errors
/// It does not start, or a response is not as expected.
pub(crate) fn try_once(log: &Path) -> Result<Report> {
    let data = tempfile::tempdir()?;
    let mut example = example(0).env("DATA_DIR", data.path()).start(Some(log))?;
    let port = example.wait_for_port(log, ADDRESS_PREFIX)?;
    wait_for_page(&mut example, port)?;
    use_session(port)?;
    Ok(Report::new(Format::Plain, Vec::new()))
}

fn example(port: u16) -> Invocation {
    let node = Invocation::new("node").args(["server.mjs"]).within(EXAMPLE);
    node.env("PORT", port.to_string())
}

fn wait_for_page(example: &mut Group, port: u16) -> Result<()> {
    let started = Instant::now();
    let response = loop {
        match request(port, "GET /", "", "") {
            Ok(response) => break response,
            Err(error) if started.elapsed() > READY_WITHIN => {
                return Err(error).context(format!("no page after {READY_WITHIN:?}"));
            }
            Err(_) => example.keep_running()?,
        }
    };
    let is_page = response.starts_with("HTTP/1.1 200 ") && response.contains("<html");
    ensure!(is_page, "the response is not a page: {response:.200}");
    Ok(())
}

/// Signs up, refreshes and logs out. Then the session must be over.
fn use_session(port: u16) -> Result<()> {
    let account = r#"{ "email": "demo@example.org", "password": "correct horse battery" }"#;
    let mut cookie = String::new();
    for (target, body, expected) in [
        ("/auth/signup", account, "201"),
        ("/auth/refresh", "", "200"),
        ("/auth/logout", "", "204"),
        ("/auth/refresh", "", "401"),
    ] {
        let response = request(port, &format!("POST {target}"), &cookie, body)?;
        let status = response.split(' ').nth(1).unwrap_or_default();
        ensure!(status == expected, "POST {target}: {status} in place of {expected}");
        // A logout empties the cookie, and here it is presented again.
        let set = response.split("\r\nSet-Cookie: ").nth(1).and_then(|set| set.split(';').next());
        if let Some(set) = set.filter(|set| !set.ends_with('=')) {
            set.clone_into(&mut cookie);
        }
    }
    Ok(())
}

/// Sends a request. With HTTP/1.0 the response ends when the server closes the connection.
fn request(port: u16, line: &str, cookie: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(READY_WITHIN))?;
    let length = body.len();
    write!(
        stream,
        "{line} HTTP/1.0\r\nHost: localhost:{port}\r\nCookie: {cookie}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}

/// The requested port, which must be free; otherwise the default port or the next free one.
fn port(requested: Option<&str>, is_free: impl Fn(u16) -> bool) -> Result<u16> {
    let Some(requested) = requested.filter(|requested| !requested.is_empty()) else {
        let mut nearby = USUAL_PORT..USUAL_PORT + 20;
        return nearby.find(|&port| is_free(port)).context("no free port from 3000 on");
    };
    let port = requested.parse().with_context(|| format!("PORT is not a port: {requested}"))?;
    ensure!(is_free(port), "port {port} (from PORT) is in use");
    Ok(port)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requested_port_is_used_or_an_error() {
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let number = taken.local_addr().unwrap().port().to_string();
        assert!(port(Some(&number), is_free).is_err());
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
