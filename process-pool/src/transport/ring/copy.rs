//! Copies from and to memory that another process may write to at the same time.
//!
//! An ordinary copy of such memory is a data race by the letter, whatever the processor makes of it: the compiler may read a
//! byte twice and take for granted that it is the same. So each access to the shared side is an atomic one, as wide as its
//! place allows; the private side is ordinary memory. The order between the two processes comes from the ring's indices, so
//! the accesses themselves are Relaxed, which are plain moves on every processor that this runs on. Where the other side
//! keeps to the protocol no two of these accesses meet, and where it does not the bytes are some bytes.
//!
//! Long copies are left to the processor where it has an instruction for them, which is as fast as the C library is. To the
//! compiler that is code that it cannot see into, and what it does is what a copy of relaxed atomic bytes would do.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};

/// How much is moved at once. The name is the number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    One,
    Two,
    Four,
    Eight,
    /// Words in a row: enough for the processor to have many under way.
    Line,
}

const WORDS: usize = 8;
const LINE: usize = 8 * WORDS;

/// From this length on the processor's own instruction is faster, where there is one.
const LONG: usize = if cfg!(all(target_arch = "x86_64", not(miri))) { 2048 } else { usize::MAX };

/// # Safety
///
/// - `from` can be read and `to` written for `length` bytes, and the two do not overlap.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
unsafe fn copy_long(from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: by the contract, this reads and writes what it may. The direction flag is clear, as in all code.
    unsafe {
        std::arch::asm!(
            "rep movsb",
            inout("rcx") length => _,
            inout("rdi") to => _,
            inout("rsi") from => _,
            options(nostack, preserves_flags),
        );
    }
}

/// # Safety
///
/// - It is not called: no length is so long.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
unsafe fn copy_long(_: *const u8, _: *mut u8, _: usize) {}

/// Divides so many bytes from an address on into steps, each at an address that is a multiple of its width, or of eight.
#[inline(always)]
fn steps(address: usize, length: usize, mut step: impl FnMut(usize, Step)) {
    let mut at = 0;
    // Up to a multiple of eight, if there are as many.
    for (width, name) in [(1, Step::One), (2, Step::Two), (4, Step::Four)] {
        if (address + at) & width != 0 && length - at >= width {
            step(at, name);
            at += width;
        }
    }
    while length - at >= LINE {
        step(at, Step::Line);
        at += LINE;
    }
    while length - at >= 8 {
        step(at, Step::Eight);
        at += 8;
    }
    // The rest is less than eight. Four or more are left only at a multiple of eight, and two or more only at an even one.
    for (width, name) in [(4, Step::Four), (2, Step::Two), (1, Step::One)] {
        if (length - at) & width != 0 {
            step(at, name);
            at += width;
        }
    }
}

/// Copies out of shared memory.
///
/// # Safety
///
/// - `from` can be read and `to` written for `length` bytes, and the two do not overlap.
/// - What is at `from` is accessed by this process only through atomics.
#[inline]
pub(super) unsafe fn out_of_shared(from: *mut u8, to: *mut u8, length: usize) {
    if length >= LONG {
        // SAFETY: by the contract of this function.
        return unsafe { copy_long(from, to, length) };
    }
    steps(from.addr(), length, |at, step| {
        // SAFETY: `steps` goes through the `length` bytes once, and an address that it names is a multiple of the width.
        unsafe {
            let (from, to) = (from.add(at), to.add(at));
            match step {
                Step::One => to.write(AtomicU8::from_ptr(from).load(Relaxed)),
                Step::Two => to.cast::<u16>().write_unaligned(AtomicU16::from_ptr(from.cast()).load(Relaxed)),
                Step::Four => to.cast::<u32>().write_unaligned(AtomicU32::from_ptr(from.cast()).load(Relaxed)),
                Step::Eight => to.cast::<u64>().write_unaligned(AtomicU64::from_ptr(from.cast()).load(Relaxed)),
                Step::Line => {
                    let from = from.cast::<u64>();
                    let words: [u64; WORDS] =
                        std::array::from_fn(|word| AtomicU64::from_ptr(from.add(word)).load(Relaxed));
                    to.cast::<[u64; WORDS]>().write_unaligned(words);
                }
            }
        }
    });
}

/// Copies into shared memory.
///
/// # Safety
///
/// - `from` can be read and `to` written for `length` bytes, and the two do not overlap.
/// - What is at `to` is accessed by this process only through atomics.
#[inline]
pub(super) unsafe fn into_shared(from: *const u8, to: *mut u8, length: usize) {
    if length >= LONG {
        // SAFETY: by the contract of this function.
        return unsafe { copy_long(from, to, length) };
    }
    steps(to.addr(), length, |at, step| {
        // SAFETY: as in `out_of_shared`.
        unsafe {
            let (from, to) = (from.add(at), to.add(at));
            match step {
                Step::One => AtomicU8::from_ptr(to).store(from.read(), Relaxed),
                Step::Two => AtomicU16::from_ptr(to.cast()).store(from.cast::<u16>().read_unaligned(), Relaxed),
                Step::Four => AtomicU32::from_ptr(to.cast()).store(from.cast::<u32>().read_unaligned(), Relaxed),
                Step::Eight => AtomicU64::from_ptr(to.cast()).store(from.cast::<u64>().read_unaligned(), Relaxed),
                Step::Line => {
                    let words = from.cast::<[u64; WORDS]>().read_unaligned();
                    let to = to.cast::<u64>();
                    (0..WORDS).for_each(|word| AtomicU64::from_ptr(to.add(word)).store(words[word], Relaxed));
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_aligned_and_cover_every_byte_once() {
        for (address, length) in (0..64).flat_map(|address| (0..300).map(move |length| (address, length))) {
            let mut end = 0;
            steps(address, length, |at, step| {
                let (width, alignment) = match step {
                    Step::One => (1, 1),
                    Step::Two => (2, 2),
                    Step::Four => (4, 4),
                    Step::Eight => (8, 8),
                    Step::Line => (LINE, 8),
                };
                assert!(at == end && (address + at).is_multiple_of(alignment), "{address} {length}: {step:?} at {at}");
                end += width;
            });
            assert_eq!(end, length, "from {address} on");
        }
    }

    #[test]
    fn copies_are_what_was_copied_and_nothing_beside_it() {
        let bytes: Vec<u8> = (0..2400_u32).map(|n| (n * 7 + 1) as u8).collect();
        let lengths = || (0..200).chain([LONG.min(2048) - 1, LONG.min(2048), LONG.min(2048) + 77]);
        for (shift, length) in (0..9).flat_map(|shift| lengths().map(move |length| (shift, length))) {
            let mut shared = vec![0_u64; 300];
            let start = shared.as_mut_ptr().cast::<u8>();
            let mut back = vec![9; length + 2];
            // SAFETY: both have room for the bytes.
            unsafe {
                into_shared(bytes.as_ptr().add(shift / 2), start.add(shift), length);
                out_of_shared(start.add(shift), back.as_mut_ptr().add(1), length);
            }
            let expected = &bytes[shift / 2..][..length];
            assert!(back[1..=length] == *expected && back[0] == 9 && back[length + 1] == 9);
            let shared: Vec<u8> = shared.iter().flat_map(|word| word.to_ne_bytes()).collect();
            assert!(shared[..shift].iter().chain(&shared[shift + length..]).all(|byte| *byte == 0));
        }
    }
}
