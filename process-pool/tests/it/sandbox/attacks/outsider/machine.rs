//! Attempts by the state of the processor: code for 32 bits, which has other calls, entered without a call.

#[cfg(target_arch = "x86_64")]
mod segments;

use super::Attempt;

#[cfg(target_arch = "x86_64")]
pub const ATTEMPTS: &[Attempt] = segments::ATTEMPTS;
#[cfg(not(target_arch = "x86_64"))]
pub const ATTEMPTS: &[Attempt] = &[];
