//! The parent's doorbell: bytes in the socketpair, which the parent polls together with everything else.

use std::{io, os::fd::OwnedFd, sync::Arc};

use crate::sys::socket;

/// One end of the socketpair: the worker rings, and the parent drains.
#[derive(Debug)]
pub(super) struct Doorbell(Arc<OwnedFd>);

impl Doorbell {
    pub(super) fn on(socket: Arc<OwnedFd>) -> Doorbell {
        Doorbell(socket)
    }

    pub(super) fn ring(&self) -> io::Result<()> {
        // A full socket wakes the parent as well.
        socket::send_now(&*self.0, &[1]).map(|_| ())
    }

    /// Takes the rings that have arrived, up to a bound. The rest wakes the parent again immediately, so a worker that
    /// rings without end does not keep the parent from the other workers.
    pub(super) fn drain(&self) {
        const ROUNDS: usize = 4;
        // The bytes have no meaning.
        let mut rings = [0; 1024];
        for _ in 0..ROUNDS {
            match socket::receive_now(&*self.0, &mut rings) {
                Ok(Some(count)) if count == rings.len() => {}
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Doorbell, Arc<OwnedFd>) {
        let (parent, worker) = socket::pair().expect("a socketpair");
        (Doorbell::on(Arc::new(parent)), Arc::new(worker))
    }

    fn rings(doorbell: &Doorbell) -> bool {
        socket::peek_now(&*doorbell.0, &mut [0; 1]).is_ok_and(|count| count.is_some())
    }

    #[test]
    fn a_doorbell_rung_often_is_silent_once_it_is_drained() {
        let (doorbell, worker) = pair();
        let other = Doorbell::on(worker);
        (0..100).for_each(|_| other.ring().expect("the other end is there"));
        assert!(rings(&doorbell));
        doorbell.drain();
        assert!(!rings(&doorbell));
    }

    #[test]
    fn draining_ends_even_if_the_worker_rings_without_end() {
        let (doorbell, worker) = pair();
        // A full socket stands for a worker that fills it faster than the parent drains it.
        while socket::send_now(&*worker, &[1; 4096]).is_ok_and(|count| count.is_some()) {}
        doorbell.drain();
        assert!(rings(&doorbell), "not everything was drained");
    }

    #[test]
    fn a_doorbell_that_is_full_rings_already() {
        let (doorbell, worker) = pair();
        while socket::send_now(&*worker, &[1; 4096]).is_ok_and(|count| count.is_some()) {}
        Doorbell::on(worker).ring().expect("a full socket is no error");
        assert!(rings(&doorbell));
    }
}
