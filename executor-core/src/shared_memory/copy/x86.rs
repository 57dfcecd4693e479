//! The processor's own moves, which may have any width and alignment, and two of which may overlap.
#![allow(unsafe_code)]

use std::arch::asm;

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
        sixty_four(from, to);
        // The others begin at a cache line of the target. One instruction for the whole (`rep movsb`) would be fifteen
        // times as slow on some processors if the target lies less than a cache line behind the source, modulo a page.
        let mut at = 64 - (to.addr() & 63);
        while length - at > 64 {
            sixty_four(from.add(at), to.add(at));
            at += 64;
        }
        sixty_four(from.add(length - 64), to.add(length - 64));
    }
}

/// Moves as many bytes as four registers have.
///
/// # Safety
///
/// - That many bytes can be read and written.
#[inline(always)]
unsafe fn sixty_four(from: *const u8, to: *mut u8) {
    // SAFETY: by the contract.
    unsafe {
        asm!(
            "movdqu {first}, [{from}]",
            "movdqu {second}, [{from} + 16]",
            "movdqu {third}, [{from} + 32]",
            "movdqu {fourth}, [{from} + 48]",
            "movdqu [{to}], {first}",
            "movdqu [{to} + 16], {second}",
            "movdqu [{to} + 32], {third}",
            "movdqu [{to} + 48], {fourth}",
            from = in(reg) from,
            to = in(reg) to,
            first = out(xmm_reg) _,
            second = out(xmm_reg) _,
            third = out(xmm_reg) _,
            fourth = out(xmm_reg) _,
            options(nostack, preserves_flags),
        );
    }
}
