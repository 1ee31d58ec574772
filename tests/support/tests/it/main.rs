//! The tests of the test servers, as one program.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod cluster;
mod proxy;
mod redis_server;
mod sentinels;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// The `run_id` of the Redis server on this port. Tests compare it, because another program may take the port of a
/// stopped server, so a free port is not proof that the server has ended.
fn run_id(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    stream.write_all(b"INFO server\r\n").ok()?;
    // Do not read to the end: neither a Sentinel nor a proxy closes the connection on QUIT.
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
