//! Locks, most of which several processes share.

mod page;
mod posix;
mod threads;

use concurrent_futures::{backend::codec::handles::Handle, multiprocessing::Lock};

pub use self::{
    page::Page,
    posix::{Mutex, Posix, Robust, Semaphore},
    threads::{ParkingLot, Std},
};
use super::Role;
use crate::Outcome;

/// A lock that processes or threads share, and a counter that it protects.
pub trait Counted: Sized + Send + 'static {
    /// The name in reports.
    const NAME: &'static str;
    /// Whether it is ours or a peer.
    const ROLE: Role;

    /// What another process or thread opens it by.
    type Address: Send;

    /// Makes a lock.
    ///
    /// # Errors
    ///
    /// If the system refuses memory.
    fn create() -> Outcome<(Self, Self::Address)>;

    /// Opens a lock in another process or thread.
    fn open(address: Self::Address) -> Self;

    /// Takes the lock, adds one to the counter, and releases the lock.
    fn count(&self);

    /// Returns the counter.
    fn total(&self) -> u64;
}

/// Our lock.
#[derive(Debug)]
pub struct Ours {
    lock: Lock,
    page: Page,
}

impl Counted for Ours {
    const NAME: &'static str = "Lock";
    const ROLE: Role = Role::Ours;
    type Address = (Lock, Handle);

    fn create() -> Outcome<(Ours, (Lock, Handle))> {
        let (lock, (page, address)) = (Lock::new()?, Page::create()?);
        Ok((Ours { lock: lock.clone(), page }, (lock, address)))
    }

    fn open((lock, page): (Lock, Handle)) -> Ours {
        Ours { lock, page: Page::open(page) }
    }

    fn count(&self) {
        let _guard = self.lock.lock().expect("no process dies with it");
        self.page.add_one();
    }

    fn total(&self) -> u64 {
        self.page.counter()
    }
}
