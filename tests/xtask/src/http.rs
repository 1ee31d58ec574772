//! One plain GET over loopback: enough to see whether a page is served.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What a server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Head and body as they came.
    pub(crate) text: String,
}

/// `GET path` from the server on this loopback port.
pub(crate) fn get(port: u16, path: &str) -> Result<Answer> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    // HTTP/1.0: the server closes the connection at the end, so nothing needs to be counted.
    let question = format!("GET {path} HTTP/1.0\r\nHost: localhost:{port}\r\n\r\n");
    stream.write_all(question.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    ensure!(text.starts_with("HTTP/1."), "not an HTTP answer: {:.80}", text);
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok(Answer { status: status.context("no HTTP status")?, text })
}

/// Whether nobody listens on this loopback port at this moment.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_that_says(answer: &'static str) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // All of it: a connection closed with something unread is reset.
            let mut question = Vec::new();
            while !question.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                question.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        });
        port
    }

    #[test]
    fn an_http_response_is_parsed_and_anything_else_is_an_error() {
        let port = server_that_says("HTTP/1.1 404 Not Found\r\n\r\nnope");
        assert!(!is_free(port));
        let answer = get(port, "/").unwrap();
        assert_eq!(answer.status, 404);
        assert!(answer.text.ends_with("nope"));
        assert!(get(server_that_says("SSH-2.0\r\n"), "/").is_err());
        assert!(get(server_that_says(""), "/").is_err());
    }
}
