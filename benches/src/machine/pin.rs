//! Pinning threads to processors, so that the scheduler moves none.

use rustix::{
    io::Errno,
    process::Pid,
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

use super::cpu;
use crate::Outcome;

/// Pins each thread of this process but the main one, and each process that descends from it, to one of the processors
/// that this process may use, in turn and in the order of their numbers. So the workers of a pool, which were made one
/// after the other, are spread evenly, on all sides of a comparison alike.
///
/// The main thread, which calls this, stays free, and threads that it starts later are as free as it is.
///
/// # Errors
///
/// If the system refuses it.
pub fn all() -> Outcome<()> {
    let free = sched_getaffinity(None)?;
    let processors: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|processor| free.is_set(*processor)).collect();
    let me = std::process::id();
    let (mut own, mut others) = (0, 0);
    let mut before = me;
    for (process, thread) in cpu::workers() {
        // The threads of another process share a processor.
        let seat = if process == me { &mut own } else { &mut others };
        if process == me || process != before {
            *seat += 1;
        }
        before = process;
        let mut set = CpuSet::new();
        set.set(processors[*seat % processors.len()]);
        match sched_setaffinity(Pid::from_raw(i32::try_from(thread)?), &set) {
            // It has ended since it was listed.
            Ok(()) | Err(Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc::channel, thread};

    use super::*;

    #[test]
    fn a_thread_that_exists_is_pinned_to_one_processor() {
        let (ready, is_ready) = channel();
        let (ask, asked) = channel::<()>();
        let pinned = thread::spawn(move || {
            ready.send(()).unwrap();
            asked.recv().unwrap();
            sched_getaffinity(None).unwrap().count()
        });
        is_ready.recv().unwrap();
        all().unwrap();
        ask.send(()).unwrap();
        assert_eq!(pinned.join().unwrap(), 1);
    }
}
