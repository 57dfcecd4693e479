//! Rules with many tasks, executors and threads.

use executor_core::{ErrorKind, Executor, Shutdown};

use crate::{Case, Counter, Probe};

pub(super) fn a_thousand_tasks_give_a_thousand_results(case: &Case) {
    let executor = case.executor(3);
    let futures: Vec<_> = (0..1000u64).map(|n| executor.submit(|n: u64| n * 3, n).expect("it is open")).collect();
    for (n, future) in (0..).zip(&futures) {
        assert_eq!(case.value(future), n * 3);
    }
}

pub(super) fn many_executors_are_created_and_dropped(case: &Case) {
    for round in 0..20 {
        let executor = case.executor(1 + round % 3);
        let future = case.submit(&executor, format!("round {round}"), |n: usize| n, round);
        if round % 2 == 0 {
            assert_eq!(case.value(&future), round);
        }
    }
}

pub(super) fn submitting_during_shutdown_loses_no_task(case: &Case) {
    for mode in [Shutdown::Drain, Shutdown::CancelPending] {
        let executor = case.executor(2);
        std::thread::scope(|scope| {
            let submitters: Vec<_> = (0..3)
                .map(|_| {
                    scope.spawn(|| {
                        let mut accepted = Vec::new();
                        loop {
                            match executor.submit(|n: usize| n, accepted.len()) {
                                Ok(future) => accepted.push(future),
                                Err(error) => return (accepted, error),
                            }
                            std::thread::yield_now();
                        }
                    })
                })
                .collect();
            let first = executor.submit(|n: u8| n, 1).expect("it is open");
            case.value(&first);
            executor.shutdown(mode);
            for submitter in submitters {
                let (accepted, error) = submitter.join().expect("it does not panic");
                assert_eq!(error.kind(), ErrorKind::ShutDown);
                for (n, future) in accepted.iter().enumerate() {
                    assert!(future.done(), "{mode:?} did not complete {future:?}");
                    match future.result(None) {
                        Ok(value) => assert_eq!(value, n),
                        Err(error) => assert_eq!((mode, error.kind()), (Shutdown::CancelPending, ErrorKind::Cancelled)),
                    }
                }
            }
        });
    }
}

pub(super) fn callbacks_are_called_once_however_they_race(case: &Case) {
    let executor = case.executor(2);
    let (sender, receiver) = std::sync::mpsc::channel();
    for number in 0..200u32 {
        let future = executor.submit(|n: u32| n, number).expect("it is open");
        for _ in 0..2 {
            let sender = sender.clone();
            future.add_done_callback(move |future| {
                assert!(future.done());
                let _ = sender.send(number);
            });
        }
        if number % 3 == 0 {
            future.cancel();
        }
    }
    drop(sender);
    let mut counts = [0; 200];
    while let Ok(number) = receiver.recv_timeout(case.event_timeout()) {
        counts[number as usize] += 1;
    }
    assert!(counts.iter().all(|count| *count == 2), "{counts:?}");
}

pub(super) fn no_value_of_many_tasks_remains(case: &Case) {
    let counter = Counter::new();
    let executor = case.executor(2);
    let futures: Vec<_> =
        (0..200).map(|_| executor.submit(|probe: Probe| probe, counter.probe()).expect("it is open")).collect();
    for (n, future) in futures.into_iter().enumerate() {
        match n % 3 {
            0 => drop(future.cancel()),
            1 => drop(future.result(case.event_timeout())),
            _ => drop(future),
        }
    }
    executor.shutdown(Shutdown::Drain);
    assert_eq!(counter.alive(), 0);
}

pub(super) fn values_of_mixed_sizes_arrive_unchanged(case: &Case) {
    let executor = case.executor(2);
    // Sizes around the usual sizes of buffers.
    let sizes = [0, 1, 4095, 4096, 4097, 65_535, 65_536, 65_537, 1 << 20, 3, (1 << 20) + 1, 7, 3 << 20];
    let futures: Vec<_> = sizes
        .iter()
        .map(|&size| {
            let bytes: Vec<u8> = (0..size).map(|n: usize| (n * 31 + size) as u8).collect();
            let future = executor.submit(|bytes: Vec<u8>| bytes.into_iter().rev().collect::<Vec<u8>>(), bytes.clone());
            (bytes, case.track(format!("{size} bytes"), future.expect("it is open")))
        })
        .collect();
    for (mut bytes, future) in futures {
        bytes.reverse();
        assert!(case.value(&future) == bytes, "{} bytes came back changed", bytes.len());
    }
}
