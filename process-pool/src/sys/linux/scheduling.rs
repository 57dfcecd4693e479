//! The niceness and the processors of a process.

use std::{io, thread};

use rustix::{
    process::setpriority_process,
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

use crate::sys::signals;

/// The processors on which a process may run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Processors(CpuSet);

impl Processors {
    /// Returns the set of these numbers, or the number that no processor can have.
    pub(crate) fn new(numbers: &[usize]) -> Result<Processors, usize> {
        let mut set = CpuSet::new();
        for &number in numbers {
            if number >= CpuSet::MAX_CPU {
                return Err(number);
            }
            set.set(number);
        }
        Ok(Processors(set))
    }

    /// Returns those of these numbers that this program may not use. The system ignores them in a set, as long as one
    /// other number is left.
    pub(crate) fn unusable(numbers: &[usize]) -> io::Result<Vec<usize>> {
        let may_use = |number: usize| {
            let one = Processors::new(&[number]).ok()?;
            one.enter().ok()?;
            sched_getaffinity(None).ok().filter(|set| set.is_set(number))
        };
        on_a_thread(|| numbers.iter().copied().filter(|number| may_use(*number).is_none()).collect())
    }

    /// Restricts the calling thread to these processors.
    pub(in crate::sys) fn enter(&self) -> io::Result<()> {
        Ok(sched_setaffinity(None, &self.0)?)
    }
}

/// Returns `true` if a process that this program starts may have this niceness.
pub(crate) fn may_have_niceness(niceness: i32) -> io::Result<bool> {
    // On Linux niceness belongs to a thread.
    on_a_thread(|| setpriority_process(None, niceness).is_ok())
}

/// Runs a function on a thread that lives no longer than this call, so that what it does to itself affects no other.
fn on_a_thread<R: Send>(function: impl FnOnce() -> R + Send) -> io::Result<R> {
    const STACK: usize = 64 << 10;
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("scheduling".into()).stack_size(STACK);
        let started = signals::with_all_blocked(|| builder.spawn_scoped(scope, function))?;
        started.join().map_err(|_| io::Error::other("the thread that asks for the processors has panicked"))
    })
}
