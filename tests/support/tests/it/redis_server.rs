//! Tests of [`RedisServer`] with a real server.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use super::run_id;
use regrant_test_support::{Certificates, RedisOptions, RedisServer};

/// Sends one line and returns the response or the error.
fn ask(port: u16, line: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(format!("{line}\r\nQUIT\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn two_servers_are_independent() {
    let (one, two) = (RedisServer::start().unwrap(), RedisServer::start().unwrap());
    assert_ne!(one.url(), two.url());
    assert_eq!(ask(one.port(), "SET k one").unwrap(), "+OK\r\n+OK\r\n");
    assert_eq!(ask(two.port(), "GET k").unwrap(), "$-1\r\n+OK\r\n");
}

#[test]
fn a_killed_server_restarts_empty() {
    let mut server = RedisServer::start().unwrap();
    let url = server.url();
    ask(server.port(), "SET k v").unwrap();
    let before = run_id(server.port()).unwrap();
    server.kill();
    assert_ne!(run_id(server.port()).as_ref(), Some(&before));
    assert!(server.pause().is_err());
    server.restart().unwrap();
    assert_eq!(server.url(), url);
    assert_eq!(ask(server.port(), "GET k").unwrap(), "$-1\r\n+OK\r\n");
}

#[test]
fn an_append_only_server_restarts_with_its_data() {
    let mut server = RedisOptions::new().append_only().start().unwrap();
    ask(server.port(), "SET k v").unwrap();
    server.kill();
    server.restart().unwrap();
    assert_eq!(ask(server.port(), "GET k").unwrap(), "$1\r\nv\r\n+OK\r\n");
}

#[test]
fn a_paused_server_does_not_respond_until_resumed() {
    let server = RedisServer::start().unwrap();
    server.pause().unwrap();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    stream.write_all(b"PING\r\n").unwrap();
    assert!(stream.read(&mut [0]).is_err());
    server.resume().unwrap();
    assert_eq!(ask(server.port(), "PING").unwrap(), "+PONG\r\n+OK\r\n");
}

#[test]
fn a_password_is_required_and_part_of_the_url() {
    let server = RedisOptions::new().password("sesame").start().unwrap();
    assert_eq!(server.url(), format!("redis://:sesame@127.0.0.1:{}/0", server.port()));
    assert!(ask(server.port(), "GET k").unwrap().starts_with("-NOAUTH"));
}

#[test]
fn a_rejected_setting_is_reported_with_the_server_log() {
    let error = RedisOptions::new().setting("no-such-setting", "1").start().unwrap_err();
    assert!(format!("{error:#}").contains("no-such-setting"), "{error:#}");
}

#[test]
fn a_runtime_setting_persists_over_a_restart() {
    let mut server = RedisServer::start().unwrap();
    server.command::<()>(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).unwrap();
    server.command::<()>(&["CONFIG", "REWRITE"]).unwrap();
    server.restart().unwrap();
    let policy: (String, String) = server.command(&["CONFIG", "GET", "maxmemory-policy"]).unwrap();
    assert_eq!(policy.1, "allkeys-lru");
}

#[test]
fn tls_has_its_own_port() {
    let certificates = std::sync::Arc::new(Certificates::new().unwrap());
    let server = RedisOptions::new().tls(&certificates).start().unwrap();
    assert_eq!(server.plain_url(), format!("redis://127.0.0.1:{}/0", server.port()));
    let port: u16 = server
        .url()
        .strip_prefix("rediss://127.0.0.1:")
        .and_then(|rest| rest.strip_suffix("/0"))
        .and_then(|port| port.parse().ok())
        .unwrap();
    assert_ne!(port, server.port());
    // A connection without TLS gets no answer.
    assert!(!ask(port, "PING").is_ok_and(|answer| answer.contains("PONG")));
    // One with TLS does: redis-cli comes with the server.
    let output = std::process::Command::new("redis-cli")
        .args(["-p", &port.to_string(), "--tls", "--cacert"])
        .arg(certificates.ca_file())
        .arg("PING")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "PONG\n", "{output:?}");
}

#[test]
fn dropping_a_server_ends_its_process() {
    let server = RedisServer::start().unwrap();
    let port = server.port();
    let before = run_id(port).unwrap();
    drop(server);
    assert_ne!(run_id(port), Some(before));
}

/// A server in a `static` is never dropped. The process with such a server is this test program,
/// started once more.
#[test]
fn a_server_in_a_static_ends_with_the_process() {
    static KEPT: std::sync::OnceLock<RedisServer> = std::sync::OnceLock::new();
    if std::env::var_os("KEEP_A_SERVER").is_some() {
        let port = KEPT.get_or_init(|| RedisServer::start().unwrap()).port();
        println!("PORT {port} {} END", run_id(port).unwrap());
        return;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "redis_server::a_server_in_a_static_ends_with_the_process",
            "--nocapture",
        ])
        .env("KEEP_A_SERVER", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let reported = text.split_once("PORT ").and_then(|(_, rest)| rest.split_once(" END"));
    let (port, before) = reported.and_then(|(line, _)| line.split_once(' ')).expect(&text);
    let port = port.parse().unwrap();
    let gone = (0..6000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        run_id(port).as_deref() != Some(before)
    });
    assert!(gone, "the server on port {port} outlived its process");
}
