//! The tests of the test servers, as one program.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod cluster;
mod proxy;
mod redis_server;
mod sentinels;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// The name that the Redis server on this port has given itself. Another program may have taken the port of a server
/// that is gone, so that nobody answers there is not what a test can check.
fn run_id(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    stream.write_all(b"INFO server\r\n").ok()?;
    // Not to its end: neither a Sentinel nor a proxy closes a connection because it was asked to.
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        answer.extend(buffer.get(..count)?);
        let text = String::from_utf8_lossy(&answer);
        if let Some((id, _)) =
            text.split_once("run_id:").and_then(|(_, rest)| rest.split_once("\r\n"))
        {
            return Some(id.to_owned());
        }
    }
    None
}
