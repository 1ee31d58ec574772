//! Loopback ports that stay ours while a server is down.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, bail};

/// Below those that kernels give to outgoing connections (from 32768 on Linux, 49152 on macOS).
/// Among those a client that keeps knocking at a killed server would sooner or later be given the
/// server's own port.
const PORTS: Range<u32> = 12_000..32_000;

/// A loopback port that no other test is given while this value is there, in this process or another.
///
/// The lease is the UDP port of the same number: nothing here speaks UDP, and the kernel gives it back however the
/// process ends. A program that is not one of these tests may still take the TCP port before it is used: the caller
/// must be ready to ask for another.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    _lease: UdpSocket,
}

impl Port {
    /// A port that nobody listens on at this moment.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn free() -> Result<Self> {
        static ASKED: AtomicU32 = AtomicU32::new(0);
        // Processes that start at the same time begin far from each other.
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
        // Whether or not anybody listens.
        assert!(numbers.iter().all(|&it| UdpSocket::bind((Ipv4Addr::LOCALHOST, it)).is_err()));
    }
}
