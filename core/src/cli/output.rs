//! Writing to stdout and stderr, whatever is at the other end.

use std::io::{self, ErrorKind, Write};
use std::thread::sleep;
use std::time::Duration;

use super::exit::Exit;

/// How long to wait for a reader that does not keep up, where waiting cannot be left to the
/// kernel: Node.js, and other parents, may have made the pipe non-blocking for all who share it.
const PAUSE: Duration = Duration::from_millis(1);

/// Writes a result. A reader who has seen enough (`| head`) is no failure.
pub(super) fn result(text: &str, exit: Exit) -> u8 {
    let mut stdout = io::stdout().lock();
    match write_all(&mut stdout, text.as_bytes()) {
        Ok(()) => exit.status(),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => exit.status(),
        Err(error) => {
            message(&format!("error: the result cannot be written: {error}\n"));
            Exit::Unavailable.status()
        }
    }
}

/// Writes a message. Where nobody can read it, nothing is left to be done.
pub(super) fn message(text: &str) {
    let _ = write_all(&mut io::stderr().lock(), text.as_bytes());
}

fn write_all(stream: &mut impl Write, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) => wait_if_busy(error)?,
        }
    }
    loop {
        match stream.flush() {
            Ok(()) => return Ok(()),
            Err(error) => wait_if_busy(error)?,
        }
    }
}

fn wait_if_busy(error: io::Error) -> io::Result<()> {
    match error.kind() {
        ErrorKind::Interrupted => Ok(()),
        ErrorKind::WouldBlock => {
            sleep(PAUSE);
            Ok(())
        }
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe of which somebody else decided that it does not block, and that is often full.
    struct Busy {
        calls: u32,
        taken: Vec<u8>,
    }

    impl Write for Busy {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.calls += 1;
            if self.calls % 2 == 1 {
                return Err(ErrorKind::WouldBlock.into());
            }
            let taken = bytes.len().min(3);
            self.taken.extend(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.calls += 1;
            if self.calls % 2 == 1 { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
        }
    }

    #[test]
    fn a_full_pipe_is_waited_for() {
        let mut pipe = Busy { calls: 0, taken: Vec::new() };
        write_all(&mut pipe, b"all of this arrives").unwrap();
        assert_eq!(pipe.taken, b"all of this arrives");
    }
}
