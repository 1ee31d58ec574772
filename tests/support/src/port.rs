//! Loopback ports that stay reserved while a server is down.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, bail};

/// Below the ephemeral ports (from 32768 on Linux, 49152 on macOS). A client that keeps reconnecting
/// to a killed server could otherwise be assigned the server's port as its own source port, and
/// connect to itself.
const PORTS: Range<u32> = 12_000..32_000;
/// How many free ports are tried before giving up: another process may take one first.
const PORT_ATTEMPTS: u32 = 5;

/// A loopback port that no other test gets while this value exists, in this process or another.
///
/// The lease is the UDP port of the same number: no test uses UDP, and the kernel releases it however the
/// process ends. A program that is not one of these tests may still take the TCP port before it is used: the caller
/// must be ready to ask for another.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _lease: UdpSocket,
}

impl Port {
    /// A port without a listener at this time.
    ///
    /// # Errors
    /// There is no free port.
    pub(crate) fn free() -> Result<Self> {
        static ASKED: AtomicU32 = AtomicU32::new(0);
        // Processes that start at the same time start their search far from each other.
        let start = std::process::id().wrapping_mul(7919);
        for _ in PORTS {
            let offset = start.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed));
            let number = u16::try_from(PORTS.start + offset % (PORTS.end - PORTS.start))?;
            let Ok(lease) = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)) else { continue };
            if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self { number, _lease: lease });
            }
        }
        bail!("no free loopback port in {PORTS:?}")
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

/// Starts `what` by a function that asks for a free port each time.
///
/// # Errors
/// It has failed several times.
pub(crate) fn start_on_free_port<T>(what: &str, mut start: impl FnMut() -> Result<T>) -> Result<T> {
    let mut attempt = 1;
    loop {
        match start() {
            Ok(started) => return Ok(started),
            Err(error) if attempt == PORT_ATTEMPTS => return Err(error),
            Err(error) => eprintln!("{what}, attempt {attempt}: {error:#}"),
        }
        attempt += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_reserved_by_one_holder_at_a_time() {
        let ports: Vec<_> = (0..50).map(|_| Port::free().unwrap()).collect();
        let mut numbers: Vec<_> = ports.iter().map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 50);
        // With or without a listener.
        assert!(numbers.iter().all(|&it| UdpSocket::bind((Ipv4Addr::LOCALHOST, it)).is_err()));
    }
}
