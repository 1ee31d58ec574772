//! Loopback ports that stay ours while a server is down.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, bail};

/// Below those that kernels give to outgoing connections (from 32768 on Linux, 49152 on macOS).
/// Among those a client that keeps knocking at a killed server would sooner or later be given the
/// server's own port.
const PORTS: Range<u32> = 12_000..32_000;

/// A loopback port that nobody listens on at this moment. Another process may take it before it is
/// used: the caller must be ready to ask for another.
pub(crate) fn free_port() -> Result<u16> {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    // Processes that start at the same time begin far from each other.
    let start = std::process::id().wrapping_mul(7919);
    for _ in PORTS {
        let offset = start.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + offset % (PORTS.end - PORTS.start);
        let port = u16::try_from(port)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free loopback port in {PORTS:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_not_given() {
        let taken: Vec<_> = (0..50)
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, free_port().unwrap())).unwrap())
            .collect();
        let taken: Vec<u16> = taken.iter().map(|it| it.local_addr().unwrap().port()).collect();
        for _ in 0..50 {
            assert!(!taken.contains(&free_port().unwrap()));
        }
    }
}
