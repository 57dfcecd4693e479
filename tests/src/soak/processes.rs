//! Thousands of processes, one after the other, and the program keeps none of their resources.

use std::{iter, thread, time::Duration};

use executor_core::ErrorKind;
use process_pool::{Process, active_children};
use serde::{Deserialize, Serialize};
use test_support::scale;

use super::{
    Run,
    resources::Resources,
    turnover::{HEAP_NOISE, MAPPING_NOISE, RESIDENT_NOISE_KIB},
    watchdog::Watchdog,
};

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Ending {
    Return,
    Panic,
    Exit,
    Abort,
    /// It waits, and this program ends it.
    Terminate,
    Kill,
    /// It waits, and is a daemon that is dropped.
    Drop,
}

fn end_in_this_way((ending, number): (Ending, u64)) -> u64 {
    match ending {
        Ending::Return => number + 1,
        Ending::Panic => panic!("on purpose"),
        Ending::Exit => std::process::exit(77),
        Ending::Abort => std::process::abort(),
        Ending::Terminate | Ending::Kill | Ending::Drop => loop {
            thread::park();
        },
    }
}

/// Spawns a process, lets it end in this way, and checks what is told about the end.
fn spawn_and_join(ending: Ending, number: u64) {
    let builder = Process::builder().daemon(ending == Ending::Drop).stderr(process_pool::Stdio::Null);
    let process = builder.spawn(end_in_this_way, (ending, number)).expect("there are enough resources");
    match ending {
        Ending::Terminate => process.terminate(),
        Ending::Kill => process.kill(),
        Ending::Drop => return drop(process),
        _ => {}
    }
    let outcome = process.result(None).map_err(|error| error.kind());
    assert!(process.join(None));
    let expected = match ending {
        Ending::Return => (Ok(number + 1), Some(0)),
        Ending::Panic => (Err(ErrorKind::Panicked), Some(1)),
        Ending::Exit => (Err(ErrorKind::WorkerDied), Some(77)),
        Ending::Abort => (Err(ErrorKind::WorkerDied), Some(-libc::SIGABRT)),
        Ending::Terminate => (Err(ErrorKind::WorkerDied), Some(-libc::SIGTERM)),
        Ending::Kill | Ending::Drop => (Err(ErrorKind::WorkerDied), Some(-libc::SIGKILL)),
    };
    assert_eq!((outcome, process.exit_code()), expected, "{ending:?}");
}

pub(super) fn one_after_the_other(run: &mut Run) {
    const PARTS: u64 = 10;
    const OTHERS: [Ending; 6] =
        [Ending::Panic, Ending::Exit, Ending::Abort, Ending::Terminate, Ending::Kill, Ending::Drop];
    // What all processes share exists from now on.
    OTHERS.iter().chain([&Ending::Return]).for_each(|ending| spawn_and_join(*ending, 0));
    let mut first: Option<Resources> = None;
    let mut number = 0;
    for part in 0..PARTS {
        while number < run.amount * (part + 1) / PARTS {
            let ending = if run.random.one_in(10) { run.random.choose(&OTHERS) } else { Ending::Return };
            spawn_and_join(ending, number);
            number += 1;
            run.watch.progress();
        }
        let at_first = first.map_or("nothing".into(), |first| first.to_string());
        run.watch.begin(format!("waiting for rest after part {part}; at first there was: {at_first}"));
        let now = at_rest(&run.watch, first);
        let before = *first.get_or_insert_with(|| {
            run.figure("at first", now);
            now
        });
        // The first part may have been measured before everything was closed and freed, which later ones must not use.
        let (descriptors, heap) = (before.descriptors.min(now.descriptors), before.heap.min(now.heap));
        first = Some(Resources { descriptors, heap, ..before });
        assert!(now.mappings <= before.mappings + MAPPING_NOISE, "mappings are lost: {before}, then {now}");
        let resident = before.resident_kib + RESIDENT_NOISE_KIB * scale() as usize;
        assert!(now.resident_kib <= resident, "memory is lost: {before}, then {now}");
        if part == PARTS - 1 {
            run.figure("at last", now);
        }
    }
    run.figure("processes", number);
}

/// Waits until no process and no resource of earlier processes is left. If one is left forever, the watchdog reports
/// it.
fn at_rest(watch: &Watchdog, first: Option<Resources>) -> Resources {
    let mut last = Resources::now();
    loop {
        // The kernel removes ended processes from its lists some time later, without an event.
        thread::park_timeout(Duration::from_millis(5));
        let now = Resources::now();
        let is_empty = active_children().is_empty() && now.children == 0;
        // The thread that manages processes frees their memory after it has told of their end.
        let is_freed = first.is_none_or(|first| now.heap <= first.heap + HEAP_NOISE);
        let is_at_rest = match first {
            Some(first) => iter::zip(now.countable(), first.countable()).all(|(now, first)| now <= first),
            None => now.countable() == last.countable(),
        };
        if is_empty && is_freed && is_at_rest {
            return now;
        }
        watch.describe(format!("; and now: {now}"));
        last = now;
    }
}
