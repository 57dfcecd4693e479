//! Copies from and to memory that another process may write to at the same time.
//!
//! An ordinary copy of such memory is a data race, even if the processor would do the right thing: the compiler may
//! read a byte twice and assume that it gets the same value. So each access to the shared side is an atomic one, as
//! wide as its alignment allows. The private side is ordinary memory. The order between the two processes comes from
//! the ring's indices, so the accesses themselves are Relaxed, which are plain moves on every processor. If the other
//! side keeps to the protocol no two of these accesses conflict, and if it does not the copied bytes are arbitrary.
//!
//! On x86-64 the copy is written in the processor's own instructions, which are faster than word after word. They are
//! opaque to the compiler, and do what a copy of relaxed atomic bytes would do.
#![allow(unsafe_code)]

#[cfg(any(test, miri, not(target_arch = "x86_64")))]
mod words;
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod x86;

#[cfg(any(miri, not(target_arch = "x86_64")))]
use words as imp;
#[cfg(all(target_arch = "x86_64", not(miri)))]
use x86 as imp;

/// Copies out of shared memory.
///
/// # Safety
///
/// - `from` can be read and `to` written for `length` bytes, and the two do not overlap.
/// - The bytes at `from` are accessed by this process only through atomics.
#[inline]
pub(super) unsafe fn out_of_shared(from: *mut u8, to: *mut u8, length: usize) {
    // SAFETY: the contract is the same.
    unsafe { imp::out_of_shared(from, to, length) }
}

/// Copies into shared memory.
///
/// # Safety
///
/// - `from` can be read and `to` written for `length` bytes, and the two do not overlap.
/// - The bytes at `to` are accessed by this process only through atomics.
#[inline]
pub(super) unsafe fn into_shared(from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: the contract is the same.
    unsafe { imp::into_shared(from, to, length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Out = unsafe fn(*mut u8, *mut u8, usize);
    type In = unsafe fn(*const u8, *mut u8, usize);

    #[test]
    fn a_copy_has_the_same_bytes_and_writes_nothing_else() {
        let bytes: Vec<u8> = (0..2400_u32).map(|n| (n * 7 + 1) as u8).collect();
        let both: [(Out, In); 2] = [(out_of_shared, into_shared), (words::out_of_shared, words::into_shared)];
        let lengths = || (0..200).chain([255, 256, 257, 1023, 1024, 2047, 2048, 2125]);
        for (shift, length) in (0..9).flat_map(|shift| lengths().map(move |length| (shift, length))) {
            for (out_of, into) in both {
                let mut shared = vec![0_u64; 300];
                let start = shared.as_mut_ptr().cast::<u8>();
                let mut back = vec![9; length + 2];
                // SAFETY: both have space for the bytes.
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
