//! The processor time of this process and of those that it has started.

use std::{collections::HashMap, fs, time::Duration};

use test_support::parent;

/// Returns the processor time of all threads of this process except the main thread, which calls this, and of all its
/// descendants, as counted by the scheduler.
///
/// Threads and processes that have ended do not count, so the difference of two calls is only meaningful if none ended
/// in between.
pub fn used() -> Duration {
    Duration::from_nanos(workers().into_iter().filter_map(|(pid, thread)| nanoseconds(pid, thread)).sum())
}

/// Returns the threads of this process except the main thread, and those of all its descendants, each with the number
/// of its process first.
pub fn workers() -> Vec<(u32, u32)> {
    let me = std::process::id();
    let processes: Vec<u32> = numbers("/proc").collect();
    let parents: HashMap<u32, u32> = processes.iter().filter_map(|pid| Some((*pid, parent(*pid)?))).collect();
    let descends = |mut pid: u32| {
        while let Some(parent) = parents.get(&pid) {
            if *parent == me {
                return true;
            }
            pid = *parent;
        }
        false
    };
    let mine = threads(me).filter(|thread| *thread != me).map(|thread| (me, thread));
    let others =
        processes.iter().filter(|pid| descends(**pid)).flat_map(|pid| threads(*pid).map(|thread| (*pid, thread)));
    mine.chain(others).collect()
}

fn threads(pid: u32) -> impl Iterator<Item = u32> {
    numbers(&format!("/proc/{pid}/task"))
}

fn numbers(directory: &str) -> impl Iterator<Item = u32> + use<> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn nanoseconds(pid: u32, thread: u32) -> Option<u64> {
    let schedstat = fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat")).ok()?;
    schedstat.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{
        process::{Command, Stdio},
        sync::mpsc::channel,
        thread,
    };

    use super::*;
    use crate::work::spin;

    #[test]
    fn the_time_of_a_thread_that_works_is_counted() {
        let me = std::process::id();
        let (number, numbers) = channel();
        let (work, works) = channel();
        let (worked, has_worked) = channel();
        let thread = thread::spawn(move || {
            number.send(rustix::thread::gettid().as_raw_nonzero().get() as u32).unwrap();
            for rounds in works {
                worked.send(spin(rounds, 1)).unwrap();
            }
        });
        let number = numbers.recv().unwrap();
        assert!(threads(me).any(|thread| thread == number));
        let before = nanoseconds(me, number).unwrap();
        work.send(1_000_000).unwrap();
        has_worked.recv().unwrap();
        // A million rounds of six dependent instructions take longer than this on every processor.
        assert!(nanoseconds(me, number).unwrap() - before > 100_000);
        drop(work);
        thread.join().unwrap();
    }

    #[test]
    fn a_child_is_a_descendant() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        assert_eq!(parent(child.id()), Some(std::process::id()));
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
