//! Probes a server's port until it is ready.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// The timeout of one probe.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Whether the Redis server with this process id serves this loopback port: it takes the password,
/// answers `PING` (a server that is still loading its data refuses), and reports this process id, so
/// that it is not another server that took the port first.
/// `info` and `ping` are the names of those commands.
pub(crate) fn serves(port: u16, password: Option<&str>, pid: u32, info: &str, ping: &str) -> bool {
    // A refused connection or a timeout means not ready yet.
    let answer = ask(port, password, info, ping).unwrap_or_default();
    let told_pid = answer.lines().find_map(|line| line.strip_prefix("process_id:"));
    answer.lines().any(|line| line == "+PONG") && told_pid == Some(pid.to_string().as_str())
}

fn ask(port: u16, password: Option<&str>, info: &str, ping: &str) -> std::io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    if let Some(password) = password {
        write!(stream, "AUTH {password}\r\n")?;
    }
    write!(stream, "{ping}\r\n{info} server\r\n")?;
    // The server closes the connection after its answers, so everything can be read to the end.
    // (A Sentinel does not know QUIT.)
    stream.shutdown(Shutdown::Write)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A server that reads a request, sends this response, and closes the connection.
    fn server_that_says(answer: &'static str) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // Read all of it: closing a connection with unread data resets it.
            let mut question = String::new();
            stream.read_to_string(&mut question).unwrap();
            assert!(question.ends_with("INFO server\r\n"));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        port
    }

    #[test]
    fn the_probe_waits_for_the_intended_server_to_be_ready() {
        let ready = "+PONG\r\n$40\r\n# Server\r\nprocess_id:42\r\n\r\n+OK\r\n";
        assert!(serves(server_that_says(ready), None, 42, "INFO", "PING"));
        assert!(!serves(server_that_says(ready), None, 4, "INFO", "PING"));
        let loading = "-LOADING Redis is loading\r\n$40\r\nprocess_id:42\r\n\r\n+OK\r\n";
        assert!(!serves(server_that_says(loading), None, 42, "INFO", "PING"));
        assert!(!serves(server_that_says(""), None, 42, "INFO", "PING"));
        // No server listens on port 1, because only the superuser may.
        assert!(!serves(1, None, 42, "INFO", "PING"));
    }
}
