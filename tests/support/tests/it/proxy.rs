//! The proxy in front of a real server.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use super::run_id;
use regrant_test_support::{RedisServer, TcpProxy};

/// A generous timeout for data that must arrive.
const LONG: Duration = Duration::from_secs(60);
/// How long to wait for data that must not arrive.
const SHORT: Duration = Duration::from_millis(200);

fn connect(proxy: &TcpProxy) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap()
}

/// The next data; empty at the end of the stream.
fn read(stream: &mut TcpStream, within: Duration) -> std::io::Result<String> {
    stream.set_read_timeout(Some(within)).unwrap();
    let mut buffer = [0; 100];
    let length = stream.read(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

fn ask(stream: &mut TcpStream, line: &str) -> std::io::Result<String> {
    stream.write_all(format!("{line}\r\n").as_bytes())?;
    read(stream, LONG)
}

fn is_silent(stream: &mut TcpStream) -> bool {
    read(stream, SHORT)
        .is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
}

/// At its end or reset.
fn is_closed(stream: &mut TcpStream) -> bool {
    match read(stream, LONG) {
        Ok(text) => text.is_empty(),
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
    }
}

#[test]
fn a_proxy_without_faults_forwards_everything() {
    let server = RedisServer::start().unwrap();
    let proxy = TcpProxy::to(server.port()).unwrap();
    let mut stream = connect(&proxy);
    assert_eq!(ask(&mut stream, "SET k v").unwrap(), "+OK\r\n");
    assert_eq!(ask(&mut connect(&proxy), "GET k").unwrap(), "$1\r\nv\r\n");
    assert!(server.url_through(&proxy).contains(&proxy.port().to_string()));
    // Closing one side closes the other.
    assert_eq!(ask(&mut stream, "QUIT").unwrap(), "+OK\r\n");
    assert!(is_closed(&mut stream));
}

#[test]
fn a_slow_link_delays_and_loses_nothing() {
    let server = RedisServer::start().unwrap();
    let proxy = TcpProxy::to(server.port()).unwrap();
    let mut stream = connect(&proxy);
    proxy.delay(Duration::from_millis(60), Duration::from_millis(40));
    let since = Instant::now();
    assert_eq!(ask(&mut stream, "PING").unwrap(), "+PONG\r\n");
    assert!(since.elapsed() >= Duration::from_millis(100), "{:?}", since.elapsed());
}

#[test]
fn a_cut_closes_connections_and_rejects_new_ones() {
    let server = RedisServer::start().unwrap();
    let proxy = TcpProxy::to(server.port()).unwrap();
    let mut stream = connect(&proxy);
    assert_eq!(ask(&mut stream, "PING").unwrap(), "+PONG\r\n");
    proxy.cut();
    assert!(is_closed(&mut stream));
    assert!(is_closed(&mut connect(&proxy)));
    proxy.heal();
    assert_eq!(ask(&mut connect(&proxy), "PING").unwrap(), "+PONG\r\n");
}

#[test]
fn data_held_by_a_partition_arrives_after_it_heals() {
    let server = RedisServer::start().unwrap();
    let proxy = TcpProxy::to(server.port()).unwrap();
    let mut stream = connect(&proxy);
    assert_eq!(ask(&mut stream, "PING").unwrap(), "+PONG\r\n");
    proxy.hold();
    stream.write_all(b"SET k late\r\n").unwrap();
    assert!(is_silent(&mut stream));
    assert!(is_silent(&mut connect(&proxy)));
    assert_eq!(server.command::<Option<String>>(&["GET", "k"]).unwrap(), None);
    proxy.heal();
    assert_eq!(read(&mut stream, LONG).unwrap(), "+OK\r\n");
    let value = server.command::<Option<String>>(&["GET", "k"]).unwrap();
    assert_eq!(value.as_deref(), Some("late"));
}

#[test]
fn a_dropped_response_belongs_to_an_executed_request() {
    let server = RedisServer::start().unwrap();
    let proxy = TcpProxy::to(server.port()).unwrap();
    let mut stream = connect(&proxy);
    assert_eq!(ask(&mut stream, "PING").unwrap(), "+PONG\r\n");
    proxy.lose_answers();
    stream.write_all(b"INCR n\r\n").unwrap();
    assert!(is_silent(&mut stream));
    let since = Instant::now();
    while proxy.lost_answers() == 0 {
        assert!(since.elapsed() < LONG, "the request is not executed");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(server.command::<u32>(&["GET", "n"]).unwrap(), 1);
    assert_eq!(proxy.lost_answers(), 1);
    proxy.heal();
    assert!(is_closed(&mut stream));

    let mut stream = connect(&proxy);
    proxy.cut_answers();
    stream.write_all(b"INCR n\r\n").unwrap();
    assert!(is_closed(&mut stream));
    assert_eq!(server.command::<u32>(&["GET", "n"]).unwrap(), 2);
    assert_eq!(proxy.lost_answers(), 2);
}

#[test]
fn dropping_a_proxy_closes_its_connections() {
    let server = RedisServer::start().unwrap();
    let proxy = TcpProxy::to(server.port()).unwrap();
    let mut stream = connect(&proxy);
    assert_eq!(ask(&mut stream, "PING").unwrap(), "+PONG\r\n");
    let port = proxy.port();
    let before = run_id(port).unwrap();
    drop(proxy);
    assert!(is_closed(&mut stream));
    assert_ne!(run_id(port), Some(before));
}
