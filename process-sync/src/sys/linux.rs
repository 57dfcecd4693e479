//! Linux: memory files, futexes, record locks.
#![allow(unsafe_code)]

mod names;
mod sealed;
mod token;

use std::{
    ffi::CStr,
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    ptr::{NonNull, null_mut},
    sync::atomic::AtomicU32,
    time::Duration,
};

use executor_core::{
    codec::handles::{Handle, Name},
    confinement,
};
use rustix::{
    fs::{FallocateFlags, MemfdFlags, SealFlags},
    io::Errno,
    mm::{MapFlags, ProtFlags, mmap, munmap},
    thread::futex,
    time::Timespec,
};

pub(crate) use names::{Attached, Names};
pub(crate) use sealed::{Draft, Sealed, constant_file};
pub(crate) use token::{check_can_travel, has_token, make_token};

/// The file behind a piece of shared memory. It travels with an object to other processes.
pub(crate) type File = Handle;

/// Returns the file of a handle that goes wherever an object goes.
pub(crate) fn file_of(handle: &Handle) -> File {
    handle.clone()
}

/// Returns the name under which the file travels. `None` means that it does not.
pub(crate) fn name_of(file: &File) -> Option<Name> {
    Some(file.name())
}

/// Makes a file of this length, of zeros. It cannot shrink, because an access to a mapping of a file that has shrunk
/// kills the process. The name is shown only in lists of mappings.
pub(crate) fn create(name: &CStr, length: usize) -> io::Result<File> {
    confinement::check()?;
    let file = rustix::fs::memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    grow(&file, length)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::SEAL)?;
    Ok(Handle::new(file))
}

/// Makes a file at least this long.
pub(crate) fn grow(file: impl AsFd, length: usize) -> io::Result<()> {
    let file = file.as_fd();
    if length_of(file)? >= length {
        return Ok(());
    }
    refuse_too_large(length)?;
    if may_lack_pages() {
        rustix::fs::fallocate(file, FallocateFlags::empty(), 0, length as u64)?;
        return Ok(());
    }
    match rustix::fs::ftruncate(file, length as u64) {
        // Another process has just made it longer than that, and it cannot shrink.
        Err(Errno::PERM) if length_of(file)? >= length => Ok(()),
        result => Ok(result?),
    }
}

/// Fails past the limit on the size of files (`ulimit -f`), where the system would also raise a signal that ends the
/// program.
fn refuse_too_large(length: usize) -> io::Result<()> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    if limit.is_some_and(|limit| length as u64 > limit) { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(()) }
}

/// Returns `true` if the system may refuse a page of a mapping at the first access, which kills the process (`SIGBUS`).
/// It does so where memory is accounted for strictly. Elsewhere pages are not reserved, because most are never used.
fn may_lack_pages() -> bool {
    const STRICT: &str = "2";
    !std::fs::read_to_string("/proc/sys/vm/overcommit_memory").is_ok_and(|mode| mode.trim_end() != STRICT)
}

/// Gives the pages of a part of the file back to the system.
pub(crate) fn give_back(file: impl AsFd, offset: usize, length: usize) {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    // If it fails, the pages stay.
    let _ = rustix::fs::fallocate(file, flags, offset as u64, length as u64);
}

pub(crate) fn length_of(file: impl AsFd) -> io::Result<usize> {
    Ok(usize::try_from(rustix::fs::fstat(file)?.st_size).unwrap_or(0))
}

/// Returns `true` if no process can make the file shorter.
pub(crate) fn cannot_shrink(file: impl AsFd) -> bool {
    rustix::fs::fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SealFlags::SHRINK))
}

/// A mapping of a part of a file.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping is plain memory that is not bound to a thread, and this type never accesses it.
unsafe impl Send for Mapping {}
// SAFETY: as above. Code that accesses the memory through the pointer is responsible for the order of the accesses.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps `length` bytes of a file, from an offset on that is a multiple of the page size.
    ///
    /// # Errors
    ///
    /// If the file can shrink or has not that many bytes, because then an access could kill the process.
    pub(crate) fn map(file: impl AsFd, offset: usize, length: usize) -> io::Result<Mapping> {
        let file = file.as_fd();
        let end = offset.checked_add(length).ok_or(io::ErrorKind::InvalidData)?;
        if !cannot_shrink(file) || length_of(file)? < end || length == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not the shared memory of such an object"));
        }
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: no address is asked for, so the mapping overlaps nothing. The file has these bytes and is sealed
        // against shrinking, so every byte of the mapping stays backed.
        let start = unsafe { mmap(null_mut(), length, protection, flags, file, offset as u64) }?;
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Mapping { start, length })
    }

    /// Returns the first byte. It and the [`length`](Mapping::length) bytes from it on are mapped, readable and
    /// writable, until this is dropped, and the pointer is aligned to a page.
    #[inline]
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    #[inline]
    pub(crate) fn length(&self) -> usize {
        self.length
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is the mapping made in `map`, and nothing borrows from it any more. If this fails, it stays
        // mapped.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
    }
}

/// Sleeps until another thread or process [wakes](wake) this word, or until the time is over. Returns immediately if
/// the word does not hold the expected value. May return without a reason.
pub(crate) fn sleep_on(word: &AtomicU32, expected: u32, time: Duration) {
    let time = Timespec { tv_sec: time.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: time.subsec_nanos().into() };
    // It fails if the time is over, the thread was interrupted, or the word has changed. The caller checks again
    // anyway.
    let _ = futex::wait(word, futex::Flags::empty(), expected, Some(&time));
}

/// Wakes threads that sleep on this word, at most this many. Returns how many it woke.
pub(crate) fn wake(word: &AtomicU32, most: u32) -> usize {
    // It fails only for a bad address.
    futex::wake(word, futex::Flags::empty(), most.min(i32::MAX as u32)).unwrap_or(0)
}

/// Takes the record lock on one byte of a file for this process. The process has it until it has ended, or closes any
/// descriptor of this file; a forked child does not have it. Returns `true` if no other process has it.
pub(crate) fn lock_byte(file: BorrowedFd<'_>, byte: u32) -> io::Result<bool> {
    match record_lock(file, libc::F_SETLK, byte) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EAGAIN)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Returns `true` if another process has the record lock on this byte. If the system does not say, it may have.
pub(crate) fn is_byte_locked(file: BorrowedFd<'_>, byte: u32) -> bool {
    record_lock(file, libc::F_GETLK, byte).map_or(true, |found| found != libc::F_UNLCK as libc::c_short)
}

/// Returns the kind of the lock that is in the way.
fn record_lock(file: BorrowedFd<'_>, command: libc::c_int, byte: u32) -> io::Result<libc::c_short> {
    // SAFETY: the structure consists of numbers, for which zero is valid.
    let mut lock: libc::flock = unsafe { MaybeUninit::zeroed().assume_init() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    // On 32 bits the type of an offset holds the numbers of a roster, which use 30 bits, and not every `u32`.
    lock.l_start = byte as libc::off_t;
    lock.l_len = 1;
    // SAFETY: the descriptor is open, and the command reads and writes a valid structure.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), command, &mut lock) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(lock.l_type) }
}

/// Returns an error that says what to raise if the process or the system has no more descriptors.
pub(crate) fn lacks_descriptors(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|lack| error.raw_os_error() == Some(lack.raw_os_error()))
}

/// Returns `true` if the user of this process has more descriptors in sockets than this process may have.
pub(crate) fn has_too_many_under_way(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::TOOMANYREFS.raw_os_error())
}

/// Returns how many descriptors this process may have.
#[allow(clippy::useless_conversion)] // A limit has 32 bits on some targets.
pub(crate) fn limit_of_descriptors() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit is written to a valid place.
    let result = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    (result == 0).then(|| limit.rlim_cur.into())
}

/// Returns `true` if something that was sent on this socket was not received yet.
pub(crate) fn has_unreceived(socket: BorrowedFd<'_>) -> bool {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open, and the command writes a number to a valid place.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &mut bytes) };
    result == 0 && bytes > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_can_grow_and_cannot_shrink() {
        let file = create(c"test", 4096).expect("a file");
        rustix::fs::ftruncate(&file, 0).expect_err("sealed");
        grow(&file, 8192).expect("grows");
        grow(&file, 4096).expect("is long enough");
        assert_eq!(length_of(&file).expect("a length"), 8192);
        assert!(cannot_shrink(&file));
    }

    #[test]
    fn a_file_that_may_shrink_or_is_too_short_is_not_mapped() {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let open = rustix::fs::memfd_create(c"test", flags).expect("a file");
        rustix::fs::ftruncate(&open, 4096).expect("grows");
        assert_eq!(Mapping::map(&open, 0, 4096).expect_err("it may shrink").kind(), io::ErrorKind::InvalidData);
        let file = create(c"test", 4096).expect("a file");
        assert_eq!(Mapping::map(&file, 4096, 4096).expect_err("too short").kind(), io::ErrorKind::InvalidData);
        assert!(Mapping::map(&file, usize::MAX, 4096).is_err() && Mapping::map(&file, 0, 0).is_err());
        let (socket, _other) = std::os::unix::net::UnixStream::pair().expect("sockets");
        assert!(Mapping::map(&socket, 0, 4096).is_err(), "a socket has no seals");
        Mapping::map(&file, 0, 4096).expect("mapped");
    }

    #[test]
    fn a_sleep_ends_when_its_time_is_over_or_the_word_differs() {
        let word = AtomicU32::new(1);
        sleep_on(&word, 1, Duration::from_millis(1));
        sleep_on(&word, 2, Duration::from_secs(1000));
        assert_eq!(wake(&word, 1), 0);
    }

    #[test]
    fn the_process_that_has_a_byte_is_not_told_of_its_own_lock() {
        let file = create(c"test", 4096).expect("a file");
        assert!(lock_byte(file.as_fd(), 7).expect("locks"));
        assert!(lock_byte(file.as_fd(), 7).expect("it has it already"));
        assert!(!is_byte_locked(file.as_fd(), 7) && !is_byte_locked(file.as_fd(), 8));
    }
}
