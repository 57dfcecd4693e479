//! The parent's bell: bytes in the socketpair, which it waits for together with everything else.

use std::{io, os::fd::OwnedFd, sync::Arc};

use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags},
};

/// One end of the socketpair: the worker pulls, the parent hushes.
#[derive(Debug)]
pub(super) struct Bell(Arc<OwnedFd>);

impl Bell {
    pub(super) fn on(socket: Arc<OwnedFd>) -> Bell {
        Bell(socket)
    }

    pub(super) fn pull(&self) -> io::Result<()> {
        loop {
            return match rustix::net::send(&*self.0, &[1], SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                // A full socket holds bells enough to wake the parent.
                Ok(_) | Err(Errno::AGAIN) => Ok(()),
                Err(Errno::INTR) => continue,
                Err(error) => Err(error.into()),
            };
        }
    }

    /// Takes the bells that have rung, up to a bound: what is left rings again at once, and a worker that rings without
    /// end does not keep the parent from the others.
    pub(super) fn hush(&self) {
        const ROUNDS: usize = 4;
        // The bytes themselves say nothing.
        let mut bells = [0; 1024];
        for _ in 0..ROUNDS {
            match rustix::net::recv(&*self.0, &mut bells, RecvFlags::DONTWAIT) {
                Ok((count, _)) if count == bells.len() => {}
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    fn pair() -> (Bell, Arc<OwnedFd>) {
        let (parent, worker) = crate::start::spawn::socketpair().expect("a socketpair");
        (Bell::on(Arc::new(parent)), Arc::new(worker))
    }

    fn rings(bell: &Bell) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        rustix::net::recv(bell.0.as_fd(), &mut [0; 1], flags).is_ok()
    }

    #[test]
    fn a_bell_that_was_pulled_often_is_quiet_once_it_is_hushed() {
        let (bell, worker) = pair();
        let other = Bell::on(worker);
        (0..100).for_each(|_| other.pull().expect("the other end is there"));
        assert!(rings(&bell));
        bell.hush();
        assert!(!rings(&bell));
    }

    #[test]
    fn a_bell_that_is_pulled_without_end_does_not_hold_anybody_up() {
        let (bell, worker) = pair();
        // As much as there is room for stands for a worker that fills it up again faster than it is taken.
        while rustix::net::send(&*worker, &[1; 4096], SendFlags::DONTWAIT | SendFlags::NOSIGNAL).is_ok() {}
        bell.hush();
        assert!(rings(&bell), "it was emptied in one go");
    }

    #[test]
    fn a_bell_that_cannot_be_pulled_any_more_rings_already() {
        let (bell, worker) = pair();
        while rustix::net::send(&*worker, &[1; 4096], SendFlags::DONTWAIT | SendFlags::NOSIGNAL).is_ok() {}
        Bell::on(worker).pull().expect("a full socket is as good");
        assert!(rings(&bell));
    }
}
