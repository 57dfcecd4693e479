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
step!(two, "mov", reg, ":x");
step!(one, "mov", reg_byte, "");

/// # Safety
///
/// - `from` can be read and `to` written for `length` bytes, and the two do not overlap.
#[inline]
unsafe fn copy(from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: by the contract, for each step is at most as wide as there are bytes: the last one ends where they do, and has
    // some of the one before it again.
    unsafe {
        let last = |width: usize| (from.add(length - width), to.add(length - width));
        let ends = |step: unsafe fn(*const u8, *mut u8), width: usize| {
            let (from_last, to_last) = last(width);
            step(from, to);
            step(from_last, to_last);
        };
        match length {
            0 => {}
            1 => one(from, to),
            2..4 => ends(two, 2),
            4..8 => ends(four, 4),
            8..16 => ends(eight, 8),
            LONG.. => long(from, to, length),
            _ => {
                let mut at = 0;
                while length - at > 16 {
                    sixteen(from.add(at), to.add(at));
                    at += 16;
                }
                let (from_last, to_last) = last(16);
                sixteen(from_last, to_last);
            }
        }
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
