//! Workers that die before they are ready.

use std::{
    sync::atomic::Ordering::SeqCst,
    time::{Duration, Instant},
};

use executor_core::{Error, ErrorKind, Executor};
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use test_support::children;

use super::{
    Run, end,
    journal::{Journal, Key},
};

const WIDTHS: [usize; 4] = [1, 2, 5, 8];

/// How a worker ends in its initializer.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum StartFailure {
    Panic,
    Abort,
    Exit,
    Kill,
}

impl StartFailure {
    const ALL: [StartFailure; 4] = [StartFailure::Panic, StartFailure::Abort, StartFailure::Exit, StartFailure::Kill];

    /// Returns what the reason must contain.
    fn reason(self) -> &'static str {
        match self {
            StartFailure::Panic => "no licence was found",
            StartFailure::Abort => "SIGABRT",
            StartFailure::Exit => "exited with code 78",
            StartFailure::Kill => "SIGKILL",
        }
    }

    /// Returns how many starts a pool may make: its first workers and a few more. After kills there are more, because a
    /// kill may come from outside. While other workers are still starting, a start is retried after ten seconds.
    fn most_starts(self, width: usize, time: Duration) -> u64 {
        let more = match self {
            StartFailure::Panic | StartFailure::Abort | StartFailure::Exit => 3,
            StartFailure::Kill => width + 8,
        };
        (width + more) as u64 + width as u64 * (time.as_secs() / 10)
    }
}

fn never_gets_ready((journal, failure): (Key, StartFailure)) {
    journal.open().counter(0).fetch_add(1, SeqCst);
    match failure {
        StartFailure::Panic => panic!("no licence was found"),
        StartFailure::Abort => std::process::abort(),
        StartFailure::Exit => std::process::exit(78),
        StartFailure::Kill => {
            let sent = kill_process(getpid(), Signal::KILL);
            unreachable!("the process is dead: {sent:?}")
        }
    }
}

pub(super) fn never_ready(run: &mut Run) {
    let mut pools = 0;
    let mut most_starts = 0;
    let mut longest = Duration::ZERO;
    for _ in 0..run.amount {
        for failure in StartFailure::ALL {
            for width in WIDTHS {
                run.watch.begin(format!("{width} workers: {failure:?}"));
                let (starts, time) = play(run, failure, width);
                most_starts = most_starts.max(starts);
                longest = longest.max(time);
                pools += 1;
            }
        }
    }
    run.figure("pools", pools);
    run.figure("most starts", most_starts);
    run.figure("longest until broken", format!("{longest:.1?}"));
}

fn play(run: &Run, failure: StartFailure, width: usize) -> (u64, Duration) {
    let journal = Journal::new(1, 1);
    let start = Instant::now();
    let pool = run.build(run.builder(width).initializer(never_gets_ready, (journal.key(), failure)));
    let mut errors: Vec<Error> = Vec::new();
    for number in 0..20_u32 {
        match pool.submit(|number: u32| number, number) {
            Ok(future) => errors.push(future.result(None).expect_err("no worker can run it")),
            Err(error) => errors.push(error),
        }
    }
    let time = start.elapsed();
    for error in &errors {
        assert_eq!(error.kind(), ErrorKind::Broken, "{failure:?}: {error}");
        assert!(error.to_string().contains(failure.reason()), "{failure:?}: {error}");
    }
    end(pool);
    assert_eq!(children(), [0; 0], "{failure:?} with {width} workers left children");
    let starts = journal.counter(0).load(SeqCst);
    let most = failure.most_starts(width, time);
    assert!((1..=most).contains(&starts), "{failure:?} with {width} workers: {starts} starts are more than {most}");
    (starts, time)
}
