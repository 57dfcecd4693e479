//! Tests of one worker's tasks: their claims, memory and timers, and their fate when the worker dies.

use super::*;
use crate::pool::{
    Timer,
    handle::{Lost, Reached, Sent, Withdrawal},
    ids::Assignment,
};

#[test]
fn claims_of_withdrawn_tasks_are_waited_for_and_reused() {
    let mut bench = Bench::new(&[4]);
    for turn in 0..SLOTS - 1 {
        bench.submit_many(1);
        assert!(bench.worker(0).withdraw(turn + 1, Withdrawal::Cancel).is_some());
    }
    bench.submit_many(1);
    assert!(bench.has(0).is_empty() && bench.twins[0].0.lock().wants_room);
    assert_eq!(bench.waiting().len(), 1);
    // The worker gets past them.
    assert_eq!(bench.twins[0].start_next(), None);
    bench.dispatch();
    assert_eq!(bench.has(0), [SLOTS]);
    assert_eq!(bench.twins[0].start_next(), Some(SLOTS));
}

#[test]
fn time_limits_set_one_timer_per_worker() {
    let mut bench = Bench::new(&[8]);
    for seconds in [20, 30, 25, 10, 40] {
        bench.submit(TaskOptions::new().time_limit(Duration::from_secs(seconds)));
    }
    let mut due = 0;
    let end = bench.now + Duration::from_secs(100);
    while bench.state.timers.due(end).is_some() {
        due += 1;
    }
    // The first limit, the earlier one, the stall check, and the check for a stopped worker.
    assert_eq!(due, 4);
}

#[test]
fn time_during_which_the_program_was_stopped_is_no_part_of_a_limit() {
    const LIMIT: Duration = Duration::from_secs(10);
    const STOPPED: Duration = Duration::from_secs(60);
    // The stop is known to have begun before the task was sent, at that time, or later.
    for known in [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2)] {
        let mut bench = Bench::new(&[1]);
        let from = bench.now + known;
        bench.now += Duration::from_secs(1);
        bench.submit(TaskOptions::new().time_limit(LIMIT));
        bench.twins[0].start_next();
        let check_after = |bench: &mut Bench, time| {
            bench.now += time;
            while let Some(timer) = bench.state.timers.due(bench.now) {
                perform(bench.state.on_timer(timer, false, bench.now));
            }
            bench.worker(0).is_condemned()
        };
        bench.now = from + STOPPED;
        bench.state.give_back(from, STOPPED);
        assert!(!check_after(&mut bench, LIMIT / 2), "{known:?}");
        assert!(check_after(&mut bench, LIMIT), "{known:?}");
    }
}

#[test]
fn a_limit_however_short_is_not_checked_without_a_pause() {
    for limit in [Duration::ZERO, Duration::from_nanos(1), Duration::from_micros(1)] {
        let mut bench = Bench::new(&[8]);
        bench.submit_many(1);
        bench.twins[0].start_next();
        // It waits behind the task that runs, and then alone for its worker to start it.
        bench.submit(TaskOptions::new().time_limit(limit));
        for waits_alone in [false, true] {
            if waits_alone {
                bench.finish_front(0);
            }
            bench.now += Duration::from_millis(1);
            let mut checks = 0;
            while let Some(timer) = bench.state.timers.due(bench.now) {
                perform(bench.state.on_timer(timer, false, bench.now));
                checks += 1;
                assert!(checks < 10, "a limit of {limit:?} is checked without a pause");
            }
        }
    }
}

#[test]
fn a_task_that_no_worker_lives_to_start_fails() {
    let mut bench = Bench::new(&[1]);
    bench.submit_many(1);
    for strike in 1..=3 {
        assert!(!bench.futures[0].done());
        bench.die(0);
        if strike < 3 {
            assert_eq!(bench.waiting(), [1]);
            bench.start_worker(0);
            bench.dispatch();
        }
    }
    assert_eq!(bench.futures[0].result(None).unwrap_err().kind(), ErrorKind::WorkerDied);
}

#[test]
fn a_worker_that_dies_costs_the_task_that_it_ran_and_no_other() {
    let mut bench = Bench::new(&[4, 1]);
    bench.submit_many(5);
    assert_eq!((bench.has(0), bench.has(1)), (vec![1, 3, 4, 5], vec![2]));
    bench.twins[0].start_next();
    bench.die(0);
    assert_eq!(bench.futures[0].result(None).unwrap_err().kind(), ErrorKind::WorkerDied);
    assert_eq!((bench.has(1), bench.waiting()), (vec![2], vec![3, 4, 5]));
    // The slot remembers the numbers that were used, and that tasks were short.
    bench.start_worker(0);
    bench.dispatch();
    assert_eq!(bench.worker(0).in_flight().iter().map(|task| task.sequence).collect::<Vec<_>>(), [5, 6, 7]);
}

#[test]
fn a_task_that_is_terminated_while_its_worker_dies_does_not_run_again() {
    let mut bench = Bench::new(&[1]);
    bench.submit(TaskOptions::new().retries(1));
    let sequence = bench.twins[0].start_next().expect("a task");
    let dying = bench.state.begin_death(SlotId::FIRST).expect("a worker");
    let at = Assignment { slot: SlotId::FIRST, sequence };
    let (stops, deferred) = bench.state.terminate(at, Duration::ZERO, bench.now);
    perform(deferred);
    assert!(stops);
    bench.end_death(0, &dying);
    assert!(bench.waiting().is_empty(), "it is not queued again");
    let error = bench.futures[0].result(None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Terminated);
    let named = format!("its worker process {} (pool_0) is replaced", dying.process.number());
    assert!(error.to_string().contains(&named), "{error}");
}

#[test]
fn the_grace_of_a_task_begins_when_its_worker_was_sent_the_signal() {
    let mut bench = Bench::new(&[1]);
    bench.submit_many(1);
    let sequence = bench.twins[0].start_next().expect("a task");
    let (grace, id, sent) = (Duration::from_secs(20), bench.worker_id(0), Instant::now());
    // The transition has begun before: signals to other workers, or the search for descendants, have taken long.
    let begun = sent.checked_sub(Duration::from_secs(10)).expect("the machine has run for so long");
    let (stops, deferred) = bench.state.terminate(Assignment { slot: SlotId::FIRST, sequence }, grace, begun);
    perform(deferred);
    assert!(stops);
    let due =
        |bench: &mut Bench, at| std::iter::from_fn(|| bench.state.timers.due(at)).any(|due| due == Timer::Kill(id));
    assert!(!due(&mut bench, sent + grace - Duration::from_millis(1)));
    assert!(due(&mut bench, Instant::now() + grace));
}

#[test]
fn timers_of_workers_that_are_gone_do_not_pile_up() {
    let mut bench = Bench::new(&[1]);
    let far = bench.now + Duration::from_secs(60);
    let id = bench.worker_id(0);
    bench.state.set_timer(far, Timer::Kill(id));
    for old in 0..10_000 {
        bench.state.set_timer(far, Timer::Start(WorkerId { generation: id.generation + 1 + old, ..id }));
    }
    let mut left = Vec::new();
    while let Some(timer) = bench.state.timers.due(far) {
        left.push(timer);
    }
    assert!(left.len() < 200, "{}", left.len());
    assert!(left.contains(&Timer::Kill(id)), "a timer of this worker is kept");
}

#[test]
fn an_outcome_of_a_task_that_was_not_sent_completely_breaks_the_protocol() {
    let mut bench = Bench::new(&[1]);
    bench.twins[0].0.lock().most = Some(10);
    bench.submit_many(1);
    let now = bench.now;
    let worker = bench.worker(0);
    assert!(worker.has_backlog());
    let sequence = worker.in_flight().front().expect("the task").sequence;
    assert!(worker.on_outcome(sequence, vec![0].into(), now).is_err());
    assert!(worker.on_outcome(sequence + 1, vec![0].into(), now).is_err(), "it was never given that one");
    // Sending goes on, as long as the worker takes it.
    while worker.send_backlog() == Sent::Part {}
    assert!(!worker.has_backlog());
    assert!(matches!(worker.on_outcome(sequence, vec![0].into(), now), Ok(Some(_))));
}

#[test]
fn the_memory_of_an_argument_is_reused_once_the_task_cannot_run_again() {
    let mut bench = Bench::new(&[1, 1]);
    bench.submit_many(1);
    bench.submit(TaskOptions::new().retries(1));
    let length = 8;
    let is_reused = |bench: &mut Bench, slot: usize| {
        let sequence = bench.worker(slot).in_flight().front().expect("a task").sequence;
        bench.worker(slot).spare_memory(sequence, length).is_some()
    };
    assert!(!is_reused(&mut bench, 0), "it has not started, and may go to another worker");
    for twin in &bench.twins {
        twin.start_next();
    }
    assert!(is_reused(&mut bench, 0));
    assert!(!is_reused(&mut bench, 1), "it is run again if its worker dies");

    // Whatever the claim is now, this task has started.
    let sequence = bench.worker(0).in_flight().front().expect("a task").sequence;
    assert!(bench.twins[0].change(sequence, Claim::Running { item: 0 }, Claim::Offered));
    assert!(bench.worker(0).withdraw(sequence, Withdrawal::Requeue).is_none());
    let worker = bench.state.slots[SlotId::FIRST].detach().expect("a worker");
    assert!(matches!(worker.into_lost().0.as_slice(), [Lost { reached: Reached::Started, .. }]));
}

#[test]
fn memory_that_does_not_fit_the_reply_is_not_reused() {
    let mut bench = Bench::new(&[1]);
    bench.submit_many(1);
    bench.twins[0].start_next();
    let sequence = bench.worker(0).in_flight().front().expect("a task").sequence;
    assert!(bench.worker(0).spare_memory(sequence, 1000).is_none(), "it is too little");
    assert!(bench.worker(0).spare_memory(sequence, 1).is_none(), "one byte would keep all of it");
}
