//! Ports for servers of tests.

use std::{
    net::TcpListener,
    process,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// The ports that are given out. The system gives none of them to outgoing connections or to those who want any port:
/// those begin at 32768 on Linux, and higher elsewhere.
const FIRST: u32 = 12_000;
const COUNT: u32 = 18_000;

/// Returns a free port of this machine for a server, which also gets it again after it was restarted.
///
/// A port that the system chooses is not kept for anyone while no server listens there. Another program may get it, and
/// so may a client that tries to connect to it: with one of some thirty thousand attempts it is connected to itself,
/// and the server cannot start.
///
/// # Panics
///
/// If no port is free.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Programs begin at places far from each other, and no port is given out twice by one program.
    let start = process::id().wrapping_mul(7919);
    let mut ports = (0..COUNT).map(|_| FIRST + start.wrapping_add(NEXT.fetch_add(1, Relaxed)) % COUNT);
    let free = ports.find_map(|port| {
        let port = u16::try_from(port).ok()?;
        TcpListener::bind(("127.0.0.1", port)).is_ok().then_some(port)
    });
    free.expect("a port is free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_port_is_another_one_and_free() {
        let ports: Vec<u16> = (0..20).map(|_| free_port()).collect();
        let listeners: Vec<TcpListener> =
            ports.iter().map(|port| TcpListener::bind(("127.0.0.1", *port)).expect("it is free")).collect();
        assert_eq!(listeners.len(), 20);
        assert!(ports.iter().all(|port| *port < 32_768 && *port >= 12_000));
    }
}
