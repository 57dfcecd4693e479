//! Which thread of which process.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use crate::roster::Member;

thread_local! {
    static NUMBER: Cell<u32> = const { Cell::new(0) };
}

/// Returns a number that no other thread of the processes of this roster has. It is never 0.
#[inline]
pub(crate) fn current(member: &Member) -> u64 {
    let number = NUMBER.get();
    u64::from(member.number()) << 32 | u64::from(if number == 0 { first() } else { number })
}

#[cold]
fn first() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    // ORDERING: the counter only has to give different numbers.
    let number = COUNT.fetch_add(1, Relaxed);
    NUMBER.set(number);
    number
}
