//! Other systems: the threads of one process share ordinary memory, and sleep on a table of condition variables.
#![allow(unsafe_code)]

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    ffi::CStr,
    io,
    ptr::NonNull,
    slice,
    sync::atomic::{
        AtomicU32,
        Ordering::{Relaxed, SeqCst},
    },
    time::Duration,
};

use executor_core::{
    Error, ErrorKind,
    codec::{
        self,
        handles::{Handle, Name},
    },
};
use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// What would travel to another process, and cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File;

/// Why an object of this system stays in its process.
pub(crate) const UNSUPPORTED: &str =
    "it is shared by the threads of one process on this system: objects go to other processes only on Linux";

fn unsupported() -> Error {
    Error::new(ErrorKind::Unsupported, UNSUPPORTED)
}

impl Serialize for File {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(codec::ser_error(&unsupported()))
    }
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<File, D::Error> {
        Err(codec::de_error(&unsupported()))
    }
}

/// The names of files, which have none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<const N: usize>;

impl<const N: usize> Names<N> {
    pub(crate) fn of(_: [&File; N]) -> Names<N> {
        Names
    }

    pub(crate) fn name(&self, _: usize) -> Option<Name> {
        None
    }

    pub(crate) fn file<E: de::Error>(&self, _: usize) -> Result<File, E> {
        Err(codec::de_error(&unsupported()))
    }
}

impl<const N: usize> Serialize for Names<N> {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(codec::ser_error(&unsupported()))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Names<N> {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Names<N>, D::Error> {
        Err(codec::de_error(&unsupported()))
    }
}

/// The files of an object, which does not travel.
#[derive(Debug, Default)]
pub(crate) struct Attached;

impl Attached {
    pub(crate) fn attach<E: ser::Error, const N: usize>(&self, _: [&File; N]) -> Result<(), E> {
        Err(codec::ser_error(&unsupported()))
    }
}

/// Fails, because nothing leaves the process.
pub(crate) fn check_can_travel(_: &File) -> Result<(), Error> {
    Err(unsupported())
}

pub(crate) fn make_token(_: &File, _: u32) -> io::Result<Option<File>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn has_token(_: &File, _: u32) -> bool {
    false
}

/// Returns a file that goes nowhere, as the object does that the handle belongs to.
pub(crate) fn file_of(_: &Handle) -> File {
    File
}

pub(crate) fn name_of(_: &File) -> Option<Name> {
    None
}

pub(crate) fn create(_: &CStr, _: usize) -> io::Result<File> {
    Ok(File)
}

pub(crate) fn grow(_: &File, _: usize) -> io::Result<()> {
    Ok(())
}

pub(crate) fn length_of(_: &File) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn give_back(_: &File, _: usize, _: usize) {}

/// Memory of this process, of zeros.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: it is plain memory that is not bound to a thread, and this type never accesses it.
unsafe impl Send for Mapping {}
// SAFETY: as above. Code that accesses the memory through the pointer is responsible for the order of the accesses.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Allocates `length` bytes. Each call returns other memory, so a part of an object is mapped once.
    pub(crate) fn map(_: &File, _: usize, length: usize) -> io::Result<Mapping> {
        const PAGE: usize = 4096;
        let layout = Layout::from_size_align(length, PAGE).map_err(|_| io::ErrorKind::OutOfMemory)?;
        if length == 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: the layout has a size.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Mapping { start, layout })
    }

    #[inline]
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    #[inline]
    pub(crate) fn length(&self) -> usize {
        self.layout.size()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout, and nothing borrows from it any more.
        unsafe { dealloc(self.start.as_ptr(), self.layout) };
    }
}

/// Memory of this process, which it writes.
#[derive(Debug)]
pub(crate) struct Draft(Mapping);

impl Draft {
    pub(crate) fn new(_: &'static CStr, length: usize) -> io::Result<Draft> {
        Mapping::map(&File, 0, length).map(Draft)
    }

    pub(crate) fn write(&mut self, offset: usize, bytes: &[u8]) -> io::Result<()> {
        self.bytes()?[offset..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn bytes(&mut self) -> io::Result<&mut [u8]> {
        // SAFETY: the memory has these bytes for as long as `self` is borrowed, which is exclusively.
        Ok(unsafe { slice::from_raw_parts_mut(self.0.start().as_ptr(), self.0.length()) })
    }

    pub(crate) fn seal(self) -> io::Result<(File, Sealed)> {
        Ok((File, Sealed(self.0)))
    }
}

/// Does nothing: the file would be for other processes.
pub(crate) fn constant_file(_: &'static CStr, _: &[&[u8]]) -> io::Result<File> {
    Ok(File)
}

/// Memory of this process, which does not change any more.
#[derive(Debug)]
pub(crate) struct Sealed(Mapping);

impl Sealed {
    pub(crate) fn open(_: &File) -> io::Result<Sealed> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the memory has these bytes for as long as `self`, and nothing writes them.
        unsafe { slice::from_raw_parts(self.0.start().as_ptr(), self.0.length()) }
    }
}

/// Where the threads sleep whose words have the same hash.
struct Bed {
    sleepers: Mutex<usize>,
    woken: Condvar,
}

const BEDS: usize = 64;

fn bed_of(word: &AtomicU32) -> &'static Bed {
    static TABLE: [Bed; BEDS] = [const { Bed { sleepers: Mutex::new(0), woken: Condvar::new() } }; BEDS];
    &TABLE[(std::ptr::from_ref(word).addr() >> 2) % BEDS]
}

/// Sleeps until another thread wakes this word, or until the time is over. Returns immediately if the word does not
/// hold the expected value. May return without a reason.
pub(crate) fn sleep_on(word: &AtomicU32, expected: u32, time: Duration) {
    let bed = bed_of(word);
    let mut sleepers = bed.sleepers.lock();
    // ORDERING: the lock orders this load with the one in `wake`, whose caller has changed the word before.
    if word.load(Relaxed) == expected {
        *sleepers += 1;
        bed.woken.wait_for(&mut sleepers, time);
        *sleepers -= 1;
    }
}

/// Wakes all threads that sleep on this word or on others with the same hash, and returns how many those are.
pub(crate) fn wake(word: &AtomicU32, _: u32) -> usize {
    let bed = bed_of(word);
    let sleepers = bed.sleepers.lock();
    // ORDERING: a wake-up is rare, and the strongest order needs no argument.
    let _ = word.load(SeqCst);
    bed.woken.notify_all();
    *sleepers
}

pub(crate) fn lacks_descriptors(_: &io::Error) -> bool {
    false
}

pub(crate) fn has_too_many_under_way(_: &io::Error) -> bool {
    false
}

pub(crate) fn limit_of_descriptors() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    #[test]
    fn a_sleeper_is_woken_and_a_sleep_ends_with_its_time() {
        let word = Arc::new(AtomicU32::new(0));
        sleep_on(&word, 0, Duration::from_millis(1));
        sleep_on(&word, 1, Duration::from_secs(1000));
        let sleeper = thread::spawn({
            let word = word.clone();
            move || {
                while word.load(SeqCst) == 0 {
                    sleep_on(&word, 0, Duration::from_secs(1000));
                }
            }
        });
        while wake(&word, 1) == 0 {
            thread::yield_now();
        }
        word.store(1, SeqCst);
        wake(&word, 1);
        sleeper.join().expect("it was woken");
    }

    #[test]
    fn what_was_written_is_sealed() {
        let mut draft = Draft::new(c"test", 10).expect("memory");
        draft.write(2, b"ab").expect("written");
        draft.bytes().expect("memory")[9] = 1;
        let (file, sealed) = draft.seal().expect("sealed");
        assert_eq!(sealed.bytes(), b"\0\0ab\0\0\0\0\0\x01");
        assert!(Sealed::open(&file).is_err() && constant_file(c"test", &[b"a"]).is_ok());
    }

    #[test]
    fn memory_begins_with_zeros_at_a_page() {
        let memory = Mapping::map(&File, 0, 8192).expect("memory");
        assert!(memory.length() == 8192 && memory.start().addr().get() & 4095 == 0);
        // SAFETY: it is the first byte of the memory.
        assert_eq!(unsafe { memory.start().read() }, 0);
        assert!(Mapping::map(&File, 0, 0).is_err());
    }
}
