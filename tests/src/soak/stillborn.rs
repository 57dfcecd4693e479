//! Workers that never live to be ready.

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

/// What becomes of a worker in its initializer.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Way {
    Panic,
    Abort,
    Exit,
    Kill,
}

impl Way {
    const ALL: [Way; 4] = [Way::Panic, Way::Abort, Way::Exit, Way::Kill];

    /// What has to be in the reason.
    fn words(self) -> &'static str {
        match self {
            Way::Panic => "no licence was found",
            Way::Abort => "SIGABRT",
            Way::Exit => "exited with code 78",
            Way::Kill => "SIGKILL",
        }
    }

    /// How many starts are enough to know: the first workers, and a few more. On a busy machine a pause can pass while
    /// another worker has not failed yet, and then there is one more. Workers that are killed get more attempts.
    fn most_starts(self, width: usize) -> u64 {
        let more = match self {
            Way::Panic | Way::Abort | Way::Exit => 8,
            Way::Kill => width + 8,
        };
        (width + more) as u64
    }
}

fn never_gets_ready((journal, way): (Key, Way)) {
    journal.open().counter(0).fetch_add(1, SeqCst);
    match way {
        Way::Panic => panic!("no licence was found"),
        Way::Abort => std::process::abort(),
        Way::Exit => std::process::exit(78),
        Way::Kill => {
            let sent = kill_process(getpid(), Signal::KILL);
            unreachable!("it is dead: {sent:?}")
        }
    }
}

pub(super) fn stillborn(run: &mut Run) {
    let mut pools = 0;
    let mut most_starts = 0;
    let mut longest = Duration::ZERO;
    for _ in 0..run.amount {
        for way in Way::ALL {
            for width in WIDTHS {
                run.watch.doing(format!("{width} workers: {way:?}"));
                let (starts, time) = play(run, way, width);
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

fn play(run: &Run, way: Way, width: usize) -> (u64, Duration) {
    let journal = Journal::new(1, 1);
    let start = Instant::now();
    let pool = run.build(run.builder(width).initializer(never_gets_ready, (journal.key(), way)));
    let mut errors: Vec<Error> = Vec::new();
    for number in 0..20_u32 {
        match pool.submit(|number: u32| number, number) {
            Ok(future) => errors.push(future.result(None).expect_err("nothing can run")),
            Err(error) => errors.push(error),
        }
    }
    let time = start.elapsed();
    for error in &errors {
        assert_eq!(error.kind(), ErrorKind::Broken, "{way:?}: {error}");
        assert!(error.to_string().contains(way.words()), "{way:?}: {error}");
    }
    end(pool);
    assert_eq!(children(), [0; 0], "{way:?} with {width} workers left children");
    let starts = journal.counter(0).load(SeqCst);
    let most = way.most_starts(width);
    assert!((1..=most).contains(&starts), "{way:?} with {width} workers: {starts} starts are more than {most}");
    (starts, time)
}
