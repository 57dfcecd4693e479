//! Processes that sleep in `get`.

use std::{fs, thread, time::Duration};

use concurrent_futures::multiprocessing::Queue;

use super::{Guest, Role, Run, end, leaving_nothing};

pub(super) const ROLES: &[(&str, Role)] = &[("sleep", sleep)];

const SLEEPERS: usize = 64;

fn sleep(guest: &Guest) {
    let [queue, ready]: [Queue<u64>; 2] = guest.receive();
    ready.put(0).expect("it is open");
    let _ = queue.get(None);
}

/// Measures the processor time of many processes that wait for an item for some time.
pub(in crate::soak) fn idle(run: &mut Run) {
    leaving_nothing(run, |run, stage| {
        let [queue, ready] = [(); 2].map(|()| Queue::<u64>::unbounded().expect("a queue"));
        let processes: Vec<_> = (0..SLEEPERS).map(|_| stage.start("sleep", &[queue.clone(), ready.clone()])).collect();
        for _ in 0..SLEEPERS {
            ready.get(None).expect("it is ready");
        }
        // They spin for a moment before they sleep.
        thread::sleep(Duration::from_secs(2));
        let used = || processes.iter().map(|process| processor_time(process.id())).sum::<Duration>();
        let before = used();
        thread::sleep(Duration::from_secs(run.amount));
        let after = used() - before;
        queue.close().expect("it is whole");
        processes.into_iter().for_each(end);
        run.figure("processes", SLEEPERS);
        run.figure("processor time of all, ms", format_args!("{:.1}", after.as_secs_f64() * 1e3));
    });
}

/// Returns how long the threads of a process have run.
fn processor_time(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the process lives").flatten();
    let time = |path: std::path::PathBuf| -> u64 {
        let text = fs::read_to_string(path.join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or(0)
    };
    Duration::from_nanos(threads.map(|thread| time(thread.path())).sum())
}
