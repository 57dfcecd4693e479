//! The locks of the C library that processes share: a mutex, a robust mutex, a semaphore.
#![allow(unsafe_code)]

use std::{marker::PhantomData, mem::MaybeUninit};

use concurrent_futures::backend::codec::handles::Handle;

use super::{Counted, Page};
use crate::{Outcome, contender::Role};

/// A lock of the C library at the beginning of a shared page.
#[derive(Debug)]
pub struct Posix<P> {
    page: Page,
    primitive: PhantomData<P>,
}

/// A kind of such a lock.
pub trait Primitive: Send + 'static {
    /// The type of the C library.
    type Type;
    /// The name in reports.
    const NAME: &'static str;

    /// Initialises it.
    ///
    /// # Safety
    ///
    /// - The place is aligned, has space for it, and nothing uses it yet.
    unsafe fn initialise(place: *mut Self::Type);

    /// Takes it.
    ///
    /// # Safety
    ///
    /// - It is initialised.
    unsafe fn take(place: *mut Self::Type);

    /// Releases it.
    ///
    /// # Safety
    ///
    /// - The calling thread has it.
    unsafe fn release(place: *mut Self::Type);
}

impl<P: Primitive> Posix<P> {
    fn place(&self) -> *mut P::Type {
        self.page.lock().as_ptr().cast()
    }
}

impl<P: Primitive> Counted for Posix<P> {
    const NAME: &'static str = P::NAME;
    const ROLE: Role = Role::Peer;
    type Address = Handle;

    fn create() -> Outcome<(Posix<P>, Handle)> {
        let (page, address) = Page::create()?;
        let lock = Posix { page, primitive: PhantomData };
        // SAFETY: the page is new, aligned, and has space for it.
        unsafe { P::initialise(lock.place()) };
        Ok((lock, address))
    }

    fn open(address: Handle) -> Posix<P> {
        Posix { page: Page::open(address), primitive: PhantomData }
    }

    fn count(&self) {
        // SAFETY: it was initialised before its address went anywhere.
        unsafe { P::take(self.place()) };
        self.page.add_one();
        // SAFETY: this thread has it.
        unsafe { P::release(self.place()) };
    }

    fn total(&self) -> u64 {
        self.page.counter()
    }
}

/// `pthread_mutex_t`.
#[derive(Debug)]
pub struct Mutex;

/// `pthread_mutex_t` that tells when its holder has died.
#[derive(Debug)]
pub struct Robust;

/// `sem_t`.
#[derive(Debug)]
pub struct Semaphore;

/// # Safety
///
/// - As `Primitive::initialise`.
unsafe fn initialise_mutex(place: *mut libc::pthread_mutex_t, robust: libc::c_int) {
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: the attributes are initialised first, and the place is valid by the contract.
    let result = unsafe {
        let attributes = attributes.as_mut_ptr();
        libc::pthread_mutexattr_init(attributes);
        libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED);
        libc::pthread_mutexattr_setrobust(attributes, robust);
        libc::pthread_mutex_init(place, attributes)
    };
    assert_eq!(result, 0);
}

macro_rules! mutex {
    ($type:ident, $name:literal, $robust:expr) => {
        impl Primitive for $type {
            type Type = libc::pthread_mutex_t;
            const NAME: &'static str = $name;

            unsafe fn initialise(place: *mut libc::pthread_mutex_t) {
                // SAFETY: the contract is the same.
                unsafe { initialise_mutex(place, $robust) }
            }

            unsafe fn take(place: *mut libc::pthread_mutex_t) {
                // SAFETY: it is initialised, by the contract.
                assert_eq!(unsafe { libc::pthread_mutex_lock(place) }, 0);
            }

            unsafe fn release(place: *mut libc::pthread_mutex_t) {
                // SAFETY: this thread has it, by the contract.
                unsafe { libc::pthread_mutex_unlock(place) };
            }
        }
    };
}

mutex!(Mutex, "pthread mutex, shared", libc::PTHREAD_MUTEX_STALLED);
mutex!(Robust, "pthread mutex, shared and robust", libc::PTHREAD_MUTEX_ROBUST);

impl Primitive for Semaphore {
    type Type = libc::sem_t;
    const NAME: &'static str = "sem_t, shared";

    unsafe fn initialise(place: *mut libc::sem_t) {
        // SAFETY: the place is valid, by the contract.
        assert_eq!(unsafe { libc::sem_init(place, 1, 1) }, 0);
    }

    unsafe fn take(place: *mut libc::sem_t) {
        // It fails if a signal arrives.
        // SAFETY: it is initialised, by the contract.
        while unsafe { libc::sem_wait(place) } != 0 {}
    }

    unsafe fn release(place: *mut libc::sem_t) {
        // SAFETY: it is initialised.
        unsafe { libc::sem_post(place) };
    }
}
