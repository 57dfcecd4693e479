//! The niceness and the processors of workers.

use std::process::Command;

use executor_core::{ErrorKind, Executor};
use process_pool::{Process, ProcessPoolExecutor};
use rustix::process::getpriority_process;

use crate::support::{builder, get, on_both};

fn niceness() -> i32 {
    getpriority_process(None).expect("it is known")
}

/// Returns the niceness of this worker, and that of a program that it starts.
fn niceness_here_and_below((): ()) -> (i32, i32) {
    let program = Command::new("nice").output().expect("it starts");
    let text = String::from_utf8(program.stdout).expect("a number");
    (niceness(), text.trim().parse().expect("a number"))
}

#[test]
fn workers_and_what_they_start_are_nicer_than_the_program() {
    on_both(|transport| {
        let pool = builder(transport, 1).nice(3).build().unwrap();
        let wanted = (niceness() + 3).min(19);
        assert_eq!(get(&pool.submit(niceness_here_and_below, ()).unwrap()).unwrap(), (wanted, wanted));
        // A worker that replaces another one is as nice.
        let _ = get(&pool.submit(|()| -> u64 { std::process::abort() }, ()).unwrap());
        assert_eq!(get(&pool.submit(niceness_here_and_below, ()).unwrap()).unwrap(), (wanted, wanted));
    });
    let process = Process::builder().nice(i32::MAX).spawn(niceness_here_and_below, ()).unwrap();
    assert_eq!(process.result(None).unwrap(), (19, 19));
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{collections::BTreeSet, fs, thread};

    use rustix::{
        process::setpriority_process,
        thread::{CapabilitySet, CpuSet, capabilities, sched_getaffinity, set_capabilities},
    };

    use super::*;

    /// Returns the processors of the calling thread.
    fn processors() -> BTreeSet<usize> {
        let set = sched_getaffinity(None).expect("they are known");
        (0..CpuSet::MAX_CPU).filter(|number| set.is_set(*number)).collect()
    }

    /// Returns the processors of every thread of this worker, as the system shows them.
    fn processors_of_threads((): ()) -> Vec<String> {
        let other = thread::spawn(|| drop(processors()));
        let status = |thread: fs::DirEntry| fs::read_to_string(thread.path().join("status")).ok();
        let threads = fs::read_dir("/proc/self/task").expect("it is there").flatten().filter_map(status);
        let prefix = "Cpus_allowed_list:";
        let lists = threads
            .filter_map(|status| status.lines().find_map(|line| line.strip_prefix(prefix)?.trim().to_string().into()));
        let lists = lists.collect();
        other.join().expect("it ends");
        lists
    }

    #[test]
    fn every_thread_of_a_worker_runs_on_its_processors() {
        on_both(|transport| {
            let last = *processors().last().expect("this test runs somewhere");
            let pool = builder(transport, 1).cpus([last]).build().unwrap();
            let lists = get(&pool.submit(processors_of_threads, ()).unwrap()).unwrap();
            assert!(lists.len() >= 2, "the lifeline has a thread: {lists:?}");
            assert!(lists.iter().all(|list| *list == last.to_string()), "{lists:?}");
            let process = Process::builder().cpus([last]).spawn(processors_of_threads, ()).unwrap();
            assert!(process.result(None).unwrap().iter().all(|list| *list == last.to_string()));
        });
    }

    #[test]
    fn a_pool_is_as_wide_as_its_processors_are_many() {
        let all = processors();
        let one = *all.first().expect("this test runs somewhere");
        let pool = ProcessPoolExecutor::builder().cpus([one, one]).build().unwrap();
        assert_eq!(executor_core::Backend::max_workers(&pool), 1);
        let pool = ProcessPoolExecutor::builder().cpus(all.clone()).min_workers(0).build().unwrap();
        assert_eq!(executor_core::Backend::max_workers(&pool), all.len());
    }

    #[test]
    fn processors_that_the_program_may_not_use_are_refused() {
        let usable = *processors().first().expect("this test runs somewhere");
        let cases = [
            (vec![], "cpus must name at least one processor: leave it out for all"),
            (vec![usable, 1023], "this program may not use 1023: it does not exist"),
            (vec![usize::MAX], "it does not exist"),
        ];
        for (cpus, part) in cases {
            let error = ProcessPoolExecutor::builder().cpus(cpus.clone()).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{cpus:?}");
            assert!(error.to_string().contains(part), "{cpus:?}: {error}");
            let error = Process::builder().cpus(cpus).spawn(niceness_here_and_below, ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        }
        assert!(processors().contains(&usable), "the check does not move the thread that builds");
    }

    /// Returns `true` if the system lets this thread become less nice. It refuses that to root of a user name space.
    fn may_be_less_nice() -> bool {
        let own = niceness();
        let is_less_nice = setpriority_process(None, own - 2).is_ok();
        setpriority_process(None, own).expect("the niceness that it had");
        is_less_nice
    }

    #[test]
    fn workers_are_less_nice_only_if_the_program_may_start_such() {
        let own = niceness();
        let mut rights = capabilities(None).expect("they are known");
        if rights.effective.contains(CapabilitySet::SYS_NICE) && may_be_less_nice() {
            let pool = ProcessPoolExecutor::builder().max_workers(1).nice(-2).build().unwrap();
            let found = get(&pool.submit(niceness_here_and_below, ()).unwrap()).unwrap();
            assert_eq!(found.0, (own - 2).max(-20));
        } else {
            eprintln!("not tested: this test may not make a worker less nice");
        }
        // Rights belong to a thread, and this one is the test's own.
        rights.effective.remove(CapabilitySet::SYS_NICE);
        rights.permitted.remove(CapabilitySet::SYS_NICE);
        rights.inheritable.remove(CapabilitySet::SYS_NICE);
        set_capabilities(None, rights).expect("they can be given up");
        let error = ProcessPoolExecutor::builder().max_workers(1).nice(-2).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        let text = error.to_string();
        assert!(text.contains("nice cannot be -2") && text.contains("CAP_SYS_NICE, or raise `ulimit -e`"), "{text}");
        assert_eq!(niceness(), own, "the check does not change the thread that builds");
    }
}
