//! Copies from and to memory that another process may write to at the same time.
//!
//! An ordinary copy of such memory is a data race by the letter, whatever the processor makes of it: the compiler may
//! read a byte twice and take for granted that it is the same. So each access to the shared side is an atomic one, as
//! wide as its place allows; the private side is ordinary memory. The order between the two processes comes from the
//! ring's indices, so the accesses themselves are Relaxed, which are plain moves on every processor that this runs on.
//! Where the other side keeps to the protocol no two of these accesses meet, and where it does not the bytes are some
//! bytes.
//!
//! On x86-64 the same is written in the processor's own instructions, because words one by one cost a short copy twice
//! as many, and make an echo of 1 MiB a fifth slower. To the compiler that is code that it cannot see into, and what it
//! does is what a copy of relaxed atomic bytes would do.
#![allow(unsafe_code)]

#[cfg(any(test, miri, not(target_arch = "x86_64")))]
mod words;
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod x86;

#[cfg(any(miri, not(target_arch = "x86_64")))]
use words as sys;
#[cfg(all(target_arch = "x86_64", not(miri)))]
use x86 as sys;

/// Copies out of shared memory.
///
/// # Safety
///
/// - `from` can be read and `to` written for `length` bytes, and the two do not overlap.
/// - What is at `from` is accessed by this process only through atomics.
#[inline]
pub(super) unsafe fn out_of_shared(from: *mut u8, to: *mut u8, length: usize) {
    // SAFETY: the contract is the same.
    unsafe { sys::out_of_shared(from, to, length) }
}

/// Copies into shared memory.
///
/// # Safety
///
/// - `from` can be read and `to` written for `length` bytes, and the two do not overlap.
/// - What is at `to` is accessed by this process only through atomics.
#[inline]
pub(super) unsafe fn into_shared(from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: the contract is the same.
    unsafe { sys::into_shared(from, to, length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Out = unsafe fn(*mut u8, *mut u8, usize);
    type In = unsafe fn(*const u8, *mut u8, usize);

    #[test]
    fn copies_are_what_was_copied_and_nothing_beside_it() {
        let bytes: Vec<u8> = (0..2400_u32).map(|n| (n * 7 + 1) as u8).collect();
        let both: [(Out, In); 2] = [(out_of_shared, into_shared), (words::out_of_shared, words::into_shared)];
        let lengths = || (0..200).chain([255, 256, 257, 1023, 1024, 2047, 2048, 2125]);
        for (shift, length) in (0..9).flat_map(|shift| lengths().map(move |length| (shift, length))) {
            for (out_of, into) in both {
                let mut shared = vec![0_u64; 300];
                let start = shared.as_mut_ptr().cast::<u8>();
                let mut back = vec![9; length + 2];
                // SAFETY: both have room for the bytes.
                unsafe {
                    into(bytes.as_ptr().add(shift / 2), start.add(shift), length);
                    out_of(start.add(shift), back.as_mut_ptr().add(1), length);
                }
                let expected = &bytes[shift / 2..][..length];
                assert!(back[1..=length] == *expected && back[0] == 9 && back[length + 1] == 9, "{shift} {length}");
                let shared: Vec<u8> = shared.iter().flat_map(|word| word.to_ne_bytes()).collect();
                assert!(shared[..shift].iter().chain(&shared[shift + length..]).all(|byte| *byte == 0));
            }
        }
    }
}
