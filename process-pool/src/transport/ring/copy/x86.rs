//! The processor's own moves. They may be of any width at any place, and two of them may overlap.
#![allow(unsafe_code)]

use std::arch::asm;

/// From this length on one instruction for the whole is as fast as the C library's copy.
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

/// Moves as many bytes as the register has.
macro_rules! step {
    ($name:ident, $instruction:literal, $class:ident, $register:literal) => {
        /// # Safety
        ///
        /// - So many bytes can be read and written.
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
    // SAFETY: by the contract, for each step is at most as wide as there are bytes: the last one ends where they do,
    // and has some of the one before it again.
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
            // Of one, two or three bytes these are all.
            let middle = length / 2;
            one(from, to);
            one(from.add(middle), to.add(middle));
            one(from_end.sub(1), to_end.sub(1));
        }
    }
}

/// # Safety
///
/// - `from` can be read and `to` written for `length` bytes, of which there are more than 64, and the two do not
///   overlap.
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
