//! Every pair of actions that may meet, made to meet many times: exactly one outcome, and everybody hears of it.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use executor_core::{Error, ErrorKind, Executor, Future, ReturnWhen, Task, TaskOptions, as_completed, promise, wait};

use crate::support::{Drops, Elsewhere, Journal, LOOK, Pile, action, at_once, block_on};

const ROUNDS: usize = 300;

/// A task whose runs are counted, and whose value is counted when it is dropped.
fn counted_task(runs: &Journal<&'static str>, drops: &Drops) -> (Task, Future<crate::support::Counted>) {
    let (runs, counted) = (runs.clone(), drops.counted());
    Task::from_closure(TaskOptions::new(), move || {
        runs.add("ran");
        counted
    })
}

#[test]
fn of_running_and_being_cancelled_exactly_one_is_true() {
    for _ in 0..ROUNDS {
        let (runs, drops) = (Journal::new(), Drops::default());
        let (task, future) = counted_task(&runs, &drops);
        let calls = Journal::new();
        let seen = calls.clone();
        future.add_done_callback(move |_| seen.add(()));
        let cancelled = at_once(vec![
            action(|| {
                task.run();
                None
            }),
            action(|| Some(future.cancel())),
            action(|| Some(future.cancel())),
        ]);
        let won = cancelled[1] == Some(true);
        assert_eq!(cancelled[2], Some(won), "both cancels tell the same");
        assert_eq!(runs.entries().len(), usize::from(!won));
        assert_eq!((future.done(), future.cancelled()), (true, won));
        assert_eq!(calls.entries().len(), 1);
        drop(future);
        assert_eq!(drops.count(), 1);
    }
}

#[test]
fn a_task_run_on_the_spot_has_one_outcome_whatever_its_back_end_does_meanwhile() {
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
        let pile = Pile::new();
        let end = ends[round % ends.len()];
        let future = pile.submit(|text: String| text + "!", "a text of its own".to_string()).expect("accepted");
        let task = pile.take();
        let future = &future;
        let answers = at_once(vec![
            action(|| {
                end(task);
                None
            }),
            action(|| Some(pile.work(|| future.result(None)))),
        ]);
        let answer = answers.into_iter().flatten().next().expect("the waiting thread answers");
        match answer {
            Ok(text) => assert_eq!(text, "a text of its own!"),
            Err(error) => assert_ne!(error.kind(), ErrorKind::Timeout),
        }
        assert!(future.done() && !future.running());
    }
}

#[test]
fn a_cancel_and_a_place_agree() {
    for _ in 0..ROUNDS {
        let pile = Pile::new();
        let future = pile.submit(|n: u64| n, 1).expect("accepted");
        let task = pile.take();
        let (task, cancelling) = (&task, &future);
        let answers = at_once(vec![action(|| task.place(1)), action(|| cancelling.cancel())]);
        assert_ne!(answers[0], answers[1], "the host is asked, and says no, or there is nothing to place");
        assert_eq!(future.cancelled(), answers[1]);
    }
}

#[test]
fn of_many_resolutions_exactly_one_succeeds() {
    for _ in 0..ROUNDS {
        let (promise, future) = promise::<usize>();
        let promise = &promise;
        let resolve = |n| action(move || promise.set_result(n).is_ok().then_some(n));
        let fail = action(|| promise.set_exception(Error::new(ErrorKind::Other, "no")).is_ok().then_some(9));
        let winners: Vec<usize> =
            at_once(vec![resolve(0), resolve(1), resolve(2), fail]).into_iter().flatten().collect();
        assert_eq!(winners.len(), 1);
        match future.result(LOOK) {
            Ok(value) => assert_eq!(value, winners[0]),
            Err(error) => assert_eq!((error.kind(), winners[0]), (ErrorKind::Other, 9)),
        }
    }
}

#[test]
fn of_many_results_exactly_one_has_the_value() {
    for round in 0..ROUNDS {
        let drops = Drops::default();
        let (promise, future) = promise();
        let future = &future;
        let take = || action(move || usize::from(future.result(None).is_ok()));
        let counted = drops.counted();
        let resolve = action(|| {
            promise.set_result(counted).expect("pending");
            0
        });
        let mut actions = vec![take(), take(), take()];
        actions.insert(round % 4, resolve);
        assert_eq!(at_once(actions).into_iter().sum::<usize>(), 1);
        assert_eq!(drops.count(), 1);
    }
}

#[test]
fn everybody_who_waits_hears_of_it_exactly_once() {
    for round in 0..ROUNDS {
        let elsewhere = Elsewhere::default();
        let packed = round % 2 == 0;
        let (promise, promised) = promise::<u64>();
        let future = if packed { elsewhere.submit(|n: u64| n, 3).expect("accepted") } else { promised };
        let shared = future.shared();
        let (calls, woken) = (AtomicUsize::new(0), Journal::new());
        let complete = action(|| {
            if packed {
                elsewhere.complete_all();
            } else {
                promise.set_result(3).expect("pending");
            }
        });
        let wait_for_it = || {
            let (shared, woken) = (shared.clone(), woken.clone());
            action(move || woken.add(shared.result(None).expect("a value")))
        };
        let look = action(|| while !shared.done() {});
        let ask = action(|| {
            assert!(shared.exception(None).expect("done").is_none());
            calls.fetch_add(1, SeqCst);
        });
        at_once(vec![wait_for_it(), complete, wait_for_it(), ask, look]);
        assert_eq!(woken.entries(), [3, 3]);
        assert_eq!(calls.load(SeqCst), 1);
    }
}

#[test]
fn callbacks_added_while_it_completes_each_run_once_and_those_of_one_thread_in_order() {
    for round in 0..ROUNDS {
        let elsewhere = Elsewhere::default();
        let packed = round % 2 == 0;
        let (promise, promised) = promise::<u64>();
        let future = if packed { elsewhere.submit(|n: u64| n, 3).expect("accepted") } else { promised };
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
        let complete =
            action(|| if packed { elsewhere.complete_all() } else { promise.set_result(3).expect("pending") });
        let read = action(move || assert!(future.exception(None).expect("done").is_none()));
        at_once(vec![add(0), complete, add(1), read]);
        let mut entries = journal.entries();
        assert!(entries.iter().all(|(.., done)| *done));
        entries.sort_unstable();
        let expected: Vec<_> = (0..2).flat_map(|thread| (0..5).map(move |number| (thread, number, true))).collect();
        assert_eq!(entries, expected);
    }
}

#[test]
fn a_future_that_is_dropped_while_it_completes_frees_its_value_once() {
    for round in 0..ROUNDS {
        let drops = Drops::default();
        let (runs, counted) = (Journal::new(), drops.clone());
        let (task, future) = counted_task(&runs, &counted);
        let let_go = match round % 3 {
            0 => action(move || drop(future)),
            1 => action(move || drop(block_on(future))),
            _ => action(move || drop(as_completed([future], LOOK))),
        };
        at_once(vec![action(move || task.run()), let_go]);
        assert_eq!(drops.count(), 1);
        assert_eq!(runs.entries().len(), 1);
    }
}

#[test]
fn waiting_for_many_sees_each_once_while_they_complete() {
    for round in 0..ROUNDS / 3 {
        let (promises, futures): (Vec<_>, Vec<_>) = (0..12).map(|_| promise::<usize>()).unzip();
        let mut expected: Vec<_> = futures.iter().map(Future::id).collect();
        let resolve = |part: usize| {
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
        let mut seen: Vec<_> = at_once(vec![resolve(0), collect, resolve(1)]).into_iter().flatten().collect();
        seen.sort_unstable();
        expected.sort_unstable();
        assert_eq!(seen, expected);
    }
}

#[test]
fn running_never_flickers() {
    for round in 0..ROUNDS {
        let pile = Pile::new();
        let future = pile.submit(|n: u64| n, 1).expect("accepted");
        let task = pile.take();
        let future = &future;
        // 0 waits, 1 runs, 2 is over.
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
        at_once(vec![watch, finish]);
    }
}

#[test]
fn a_task_that_fails_without_having_run_never_says_that_it_runs() {
    for _ in 0..ROUNDS {
        let (task, future) = Task::from_closure(TaskOptions::new(), || ());
        let future = &future;
        let watch = action(move || {
            while !future.done() {
                assert!(!future.running());
            }
        });
        at_once(vec![watch, action(move || drop(task.fail(Error::new(ErrorKind::Broken, "closed"))))]);
    }
}
