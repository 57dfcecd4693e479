//! Races between every pair of actions, repeated many times. There is exactly one outcome, and every waiter receives
//! it.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use executor_core::{Error, ErrorKind, Executor, Future, ReturnWhen, Task, TaskOptions, as_completed, promise, wait};

use crate::support::{Drops, Journal, Manual, NO_WAIT, Remote, action, block_on, concurrently};

const ROUNDS: usize = 300;

/// Returns a task that counts its runs and the drops of its value.
fn counted_task(runs: &Journal<&'static str>, drops: &Drops) -> (Task, Future<crate::support::Counted>) {
    let (runs, counted) = (runs.clone(), drops.counted());
    Task::from_closure(TaskOptions::new(), move || {
        runs.add("ran");
        counted
    })
}

#[test]
fn a_task_either_runs_or_is_cancelled() {
    for _ in 0..ROUNDS {
        let (runs, drops) = (Journal::new(), Drops::default());
        let (task, future) = counted_task(&runs, &drops);
        let calls = Journal::new();
        let seen = calls.clone();
        future.add_done_callback(move |_| seen.add(()));
        let cancelled = concurrently(vec![
            action(|| {
                task.run();
                None
            }),
            action(|| Some(future.cancel())),
            action(|| Some(future.cancel())),
        ]);
        let won = cancelled[1] == Some(true);
        assert_eq!(cancelled[2], Some(won), "both cancels return the same");
        assert_eq!(runs.entries().len(), usize::from(!won));
        assert_eq!((future.done(), future.cancelled()), (true, won));
        assert_eq!(calls.entries().len(), 1);
        drop(future);
        assert_eq!(drops.count(), 1);
    }
}

#[test]
fn an_inline_task_has_one_outcome_whatever_its_back_end_does() {
    type End = fn(Task);
    let ends: [End; 6] = [
        |task| drop(task.cancel()),
        |task| drop(task.fail(Error::new(ErrorKind::Broken, "closed"))),
        |task| drop(task.withdraw()),
        |task| drop(task.complete(vec![1])),
        |task| task.run(),
        drop,
    ];
    for round in 0..ROUNDS {
        let manual = Manual::new();
        let end = ends[round % ends.len()];
        let future = manual.submit(|text: String| text + "!", "a text of its own".to_string()).expect("accepted");
        let task = manual.take();
        let future = &future;
        let results = concurrently(vec![
            action(|| {
                end(task);
                None
            }),
            action(|| Some(manual.as_worker(|| future.result(None)))),
        ]);
        let result = results.into_iter().flatten().next().expect("the waiting thread returns");
        match result {
            Ok(text) => assert_eq!(text, "a text of its own!"),
            Err(error) => assert_ne!(error.kind(), ErrorKind::Timeout),
        }
        assert!(future.done() && !future.running());
    }
}

#[test]
fn either_a_cancel_or_a_place_succeeds() {
    for _ in 0..ROUNDS {
        let manual = Manual::new();
        let future = manual.submit(|n: u64| n, 1).expect("accepted");
        let task = manual.take();
        let (task, cancelling) = (&task, &future);
        let succeeded = concurrently(vec![action(|| task.place(1)), action(|| cancelling.cancel())]);
        assert_ne!(succeeded[0], succeeded[1], "a task is either placed or cancelled");
        assert_eq!(future.cancelled(), succeeded[1]);
    }
}

#[test]
fn exactly_one_completion_succeeds() {
    for _ in 0..ROUNDS {
        let (promise, future) = promise::<usize>();
        let promise = &promise;
        let complete = |n| action(move || promise.set_result(n).is_ok().then_some(n));
        let fail = action(|| promise.set_exception(Error::new(ErrorKind::Other, "no")).is_ok().then_some(9));
        let winners: Vec<usize> =
            concurrently(vec![complete(0), complete(1), complete(2), fail]).into_iter().flatten().collect();
        assert_eq!(winners.len(), 1);
        match future.result(NO_WAIT) {
            Ok(value) => assert_eq!(value, winners[0]),
            Err(error) => assert_eq!((error.kind(), winners[0]), (ErrorKind::Other, 9)),
        }
    }
}

#[test]
fn exactly_one_result_returns_the_value() {
    for round in 0..ROUNDS {
        let drops = Drops::default();
        let (promise, future) = promise();
        let future = &future;
        let take = || action(move || usize::from(future.result(None).is_ok()));
        let counted = drops.counted();
        let complete = action(|| {
            promise.set_result(counted).expect("pending");
            0
        });
        let mut actions = vec![take(), take(), take()];
        actions.insert(round % 4, complete);
        assert_eq!(concurrently(actions).into_iter().sum::<usize>(), 1);
        assert_eq!(drops.count(), 1);
    }
}

#[test]
fn every_waiter_is_notified_exactly_once() {
    for round in 0..ROUNDS {
        let remote = Remote::default();
        let encoded = round % 2 == 0;
        let (promise, promised) = promise::<u64>();
        let future = if encoded { remote.submit(|n: u64| n, 3).expect("accepted") } else { promised };
        let shared = future.shared();
        let (calls, woken) = (AtomicUsize::new(0), Journal::new());
        let complete = action(|| {
            if encoded {
                remote.complete_all();
            } else {
                promise.set_result(3).expect("pending");
            }
        });
        let wait_for_it = || {
            let (shared, woken) = (shared.clone(), woken.clone());
            action(move || woken.add(shared.result(None).expect("a value")))
        };
        let poll = action(|| while !shared.done() {});
        let ask = action(|| {
            assert!(shared.exception(None).expect("done").is_none());
            calls.fetch_add(1, SeqCst);
        });
        concurrently(vec![wait_for_it(), complete, wait_for_it(), ask, poll]);
        assert_eq!(woken.entries(), [3, 3]);
        assert_eq!(calls.load(SeqCst), 1);
    }
}

#[test]
fn callbacks_added_during_completion_run_once_and_in_order_per_thread() {
    for round in 0..ROUNDS {
        let remote = Remote::default();
        let encoded = round % 2 == 0;
        let (promise, promised) = promise::<u64>();
        let future = if encoded { remote.submit(|n: u64| n, 3).expect("accepted") } else { promised };
        let future = &future;
        let journal = Journal::new();
        let add = |thread: usize| {
            let journal = journal.clone();
            action(move || {
                for number in 0..5 {
                    let journal = journal.clone();
                    future.add_done_callback(move |future| journal.add((thread, number, future.done())));
                }
            })
        };
        let complete = action(|| if encoded { remote.complete_all() } else { promise.set_result(3).expect("pending") });
        let read = action(move || assert!(future.exception(None).expect("done").is_none()));
        concurrently(vec![add(0), complete, add(1), read]);
        let mut entries = journal.entries();
        assert!(entries.iter().all(|(.., done)| *done));
        entries.sort_unstable();
        let expected: Vec<_> = (0..2).flat_map(|thread| (0..5).map(move |number| (thread, number, true))).collect();
        assert_eq!(entries, expected);
    }
}

#[test]
fn a_future_dropped_during_completion_drops_its_value_once() {
    for round in 0..ROUNDS {
        let drops = Drops::default();
        let (runs, counted) = (Journal::new(), drops.clone());
        let (task, future) = counted_task(&runs, &counted);
        let release = match round % 3 {
            0 => action(move || drop(future)),
            1 => action(move || drop(block_on(future))),
            _ => action(move || drop(as_completed([future], NO_WAIT))),
        };
        concurrently(vec![action(move || task.run()), release]);
        assert_eq!(drops.count(), 1);
        assert_eq!(runs.entries().len(), 1);
    }
}

#[test]
fn waiting_for_many_yields_each_once_while_they_complete() {
    for round in 0..ROUNDS / 3 {
        let (promises, futures): (Vec<_>, Vec<_>) = (0..12).map(|_| promise::<usize>()).unzip();
        let mut expected: Vec<_> = futures.iter().map(Future::id).collect();
        let complete = |part: usize| {
            let promises = &promises;
            action(move || {
                for promise in promises.iter().skip(part).step_by(2) {
                    promise.set_result(part).expect("pending");
                }
                Vec::new()
            })
        };
        let collect = action(move || {
            if round % 2 == 0 {
                return as_completed(futures, None).map(|future| future.expect("no time-out").id()).collect();
            }
            let (mut open, mut seen) = (futures, Vec::new());
            while !open.is_empty() {
                let waited = wait(open, None, ReturnWhen::FirstCompleted);
                assert!(!waited.done.is_empty());
                seen.extend(waited.done.iter().map(Future::id));
                open = waited.not_done;
            }
            seen
        });
        let mut seen: Vec<_> = concurrently(vec![complete(0), collect, complete(1)]).into_iter().flatten().collect();
        seen.sort_unstable();
        expected.sort_unstable();
        assert_eq!(seen, expected);
    }
}

#[test]
fn a_future_never_returns_to_an_earlier_state() {
    for round in 0..ROUNDS {
        let manual = Manual::new();
        let future = manual.submit(|n: u64| n, 1).expect("accepted");
        let task = manual.take();
        let future = &future;
        // 0 is pending, 1 is running, 2 is done.
        let watch = action(move || {
            let mut last = 0;
            loop {
                let now = match (future.running(), future.done()) {
                    (_, true) => 2,
                    (true, false) => 1,
                    (false, false) => 0,
                };
                assert!(now >= last, "from {last} back to {now}");
                last = now;
                if last == 2 {
                    return;
                }
            }
        });
        let finish = action(move || match round % 3 {
            0 => task.run(),
            1 => {
                assert!(task.begin());
                drop(task.complete(vec![0, 1]));
            }
            _ => {
                assert!(task.begin());
                drop(task.fail(Error::new(ErrorKind::WorkerDied, "died")));
            }
        });
        concurrently(vec![watch, finish]);
    }
}

#[test]
fn a_task_that_fails_before_it_runs_is_never_running() {
    for _ in 0..ROUNDS {
        let (task, future) = Task::from_closure(TaskOptions::new(), || ());
        let future = &future;
        let watch = action(move || {
            while !future.done() {
                assert!(!future.running());
            }
        });
        concurrently(vec![watch, action(move || drop(task.fail(Error::new(ErrorKind::Broken, "closed"))))]);
    }
}
