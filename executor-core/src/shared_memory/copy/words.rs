//! Copies of one word at a time, and of less where the address is not aligned.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed};

/// The width of one step. The name is the number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    One,
    Two,
    Four,
    Eight,
    /// [`WORDS`] words in a row, so that the processor can overlap their accesses.
    Line,
}

const WORDS: usize = 8;
const LINE: usize = 8 * WORDS;

/// Divides `length` bytes from an address on into steps, each at an address that is a multiple of its width, or of
/// eight.
#[inline(always)]
fn steps(address: usize, length: usize, mut step: impl FnMut(usize, Step)) {
    let mut at = 0;
    // Up to the next multiple of eight, if there are that many bytes.
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
    // Less than eight bytes are left. Four or more are left only at a multiple of eight, and two or more only at an
    // even address.
    for (width, name) in [(4, Step::Four), (2, Step::Two), (1, Step::One)] {
        if (length - at) & width != 0 {
            step(at, name);
            at += width;
        }
    }
}

/// # Safety
///
/// - `from` can be read and `to` written for `length` bytes, and the two do not overlap.
/// - The bytes at `from` are accessed by this process only through atomics.
#[inline]
pub(super) unsafe fn out_of_shared(from: *mut u8, to: *mut u8, length: usize) {
    steps(from.addr(), length, |at, step| {
        // SAFETY: `steps` covers the `length` bytes once, and the address of each step is a multiple of its width.
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

/// # Safety
///
/// - `from` can be read and `to` written for `length` bytes, and the two do not overlap.
/// - The bytes at `to` are accessed by this process only through atomics.
#[inline]
pub(super) unsafe fn into_shared(from: *const u8, to: *mut u8, length: usize) {
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
                assert!(
                    at == end && (address + at).wrapping_rem(alignment) == 0,
                    "{address} {length}: {step:?} at {at}"
                );
                end += width;
            });
            assert_eq!(end, length, "from {address} on");
        }
    }
}
