//! The processor's own moves, which may have any width and alignment, and two of which may overlap.
#![allow(unsafe_code)]

use std::arch::asm;

/// From this length on, one instruction for the whole is as fast as the C library's copy.
const LONG: usize = 1024;

/// # Safety
///
/// - `from` can be read and `to` written for `length` bytes, and the two do not overlap.
#[inline]
pub(super) unsafe fn out_of_shared(from: *mut u8, to: *mut u8, length: usize) {
    // SAFETY: the contract is the same.
    unsafe { copy(from, to, length) }
}

/// # Safety
///
/// - `from` can be read and `to` written for `length` bytes, and the two do not overlap.
#[inline]
pub(super) unsafe fn into_shared(from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: the contract is the same.
    unsafe { copy(from, to, length) }
}

/// Defines a function that moves as many bytes as the register has.
macro_rules! step {
    ($name:ident, $instruction:literal, $class:ident, $register:literal) => {
        /// # Safety
        ///
        /// - As many bytes as the register has can be read and written.
        #[inline(always)]
        unsafe fn $name(from: *const u8, to: *mut u8) {
            // SAFETY: by the contract.
            unsafe {
                asm!(
                    concat!($instruction, " {register", $register, "}, [{from}]"),
                    concat!($instruction, " [{to}], {register", $register, "}"),
                    from = in(reg) from,
                    to = in(reg) to,
                    register = out($class) _,
                    options(nostack, preserves_flags),
                );
            }
        }
    };
}

step!(sixteen, "movdqu", xmm_reg, "");
step!(eight, "mov", reg, ":r");
step!(four, "mov", reg, ":e");
step!(one, "mov", reg_byte, "");

/// # Safety
///
/// - `from` can be read and `to` written for `length` bytes, and the two do not overlap.
#[inline]
unsafe fn copy(from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: by the contract, because no step is wider than the number of bytes. The last step ends where the bytes
    // end, and may overlap the one before it.
    unsafe {
        let (from_end, to_end) = (from.add(length), to.add(length));
        if length > 64 {
            return many(from, to, length);
        }
        if length >= 16 {
            sixteen(from, to);
            if length > 32 {
                sixteen(from.add(16), to.add(16));
                sixteen(from_end.sub(32), to_end.sub(32));
            }
            sixteen(from_end.sub(16), to_end.sub(16));
        } else if length >= 8 {
            eight(from, to);
            eight(from_end.sub(8), to_end.sub(8));
        } else if length >= 4 {
            four(from, to);
            four(from_end.sub(4), to_end.sub(4));
        } else if length > 0 {
            // These are all of one, two or three bytes.
            let middle = length / 2;
            one(from, to);
            one(from.add(middle), to.add(middle));
            one(from_end.sub(1), to_end.sub(1));
        }
    }
}

/// # Safety
///
/// - `from` can be read and `to` written for `length` bytes, and the two do not overlap.
/// - `length` is more than 64.
unsafe fn many(from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: by the contract, as in `copy`.
    unsafe {
        if length >= LONG {
            return long(from, to, length);
        }
        let mut at = 0;
        while length - at > 16 {
            sixteen(from.add(at), to.add(at));
            at += 16;
        }
        sixteen(from.add(length - 16), to.add(length - 16));
    }
}

/// # Safety
///
/// - `from` can be read and `to` written for `length` bytes, and the two do not overlap.
unsafe fn long(from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: by the contract. The direction flag is clear, as in all code.
    unsafe {
        asm!(
            "rep movsb",
            inout("rcx") length => _,
            inout("rdi") to => _,
            inout("rsi") from => _,
            options(nostack, preserves_flags),
        );
    }
}
