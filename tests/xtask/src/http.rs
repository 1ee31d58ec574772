//! One plain GET over loopback, to check that a page is served.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

const TIMEOUT: Duration = Duration::from_secs(30);

/// The response of a server.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Head and body, unparsed.
    pub(crate) text: String,
}

/// `GET path` from the server on this loopback port.
pub(crate) fn get(port: u16, path: &str) -> Result<Response> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    // HTTP/1.0: the response ends when the server closes the connection.
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost:{port}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    ensure!(text.starts_with("HTTP/1."), "not an HTTP response: {:.80}", text);
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok(Response { status: status.context("no HTTP status")?, text })
}

/// Whether this loopback port is free now.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_responding(answer: &'static str) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // Read all of it: closing a connection with unread data resets it.
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                request.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        });
        port
    }

    #[test]
    fn an_http_response_is_parsed_and_anything_else_is_an_error() {
        let port = server_responding("HTTP/1.1 404 Not Found\r\n\r\nnope");
        assert!(!is_free(port));
        let answer = get(port, "/").unwrap();
        assert_eq!(answer.status, 404);
        assert!(answer.text.ends_with("nope"));
        assert!(get(server_responding("SSH-2.0\r\n"), "/").is_err());
        assert!(get(server_responding(""), "/").is_err());
    }
}
