//! Workers that die.

use std::time::Duration;

use conformance::{Gate, Ticket};
use executor_core::{Backend, Error, ErrorKind, Executor, Shutdown};
use process_pool::{ProcessPoolExecutor, Transport};
use test_support::{DEADLINE, SharedDir, kill, wait_gone};
use tests::crash::{Crash, CrashesWhenRead, CrashesWhenWritten};

use super::{builder, failure, pool, value, works};

pub(super) fn cf_052_a_killed_worker_costs_its_task_and_is_replaced(transport: Transport) {
    let pool = pool(transport, 1);
    let gate = Gate::new("killed", DEADLINE);
    let running = pool.submit(Ticket::pass, gate.ticket(0)).expect("it is open");
    let pending = pool.submit(Ticket::report, gate.ticket(1)).expect("it is open");
    let (worker, _) = gate.wait_arrivals(1)[0].worker;
    assert_eq!(pool.worker_pids(), [worker]);
    kill(worker, libc::SIGKILL);
    let error = failure(&running);
    let death = error.worker_death().expect("the error has the details of the death");
    assert_eq!((error.kind(), death.pid(), death.signal()), (ErrorKind::WorkerDied, worker, Some(9)));
    assert_eq!(value(&pending), 1);
    works(&pool);
    assert!(!pool.worker_pids().contains(&worker));
    wait_gone(&[worker], DEADLINE);
}

pub(super) fn cf_067_workers_that_cannot_be_replaced_break_the_pool(transport: Transport) {
    let directory = SharedDir::new();
    let only_once = |path: String| {
        if std::fs::create_dir(path).is_err() {
            Crash::Exit.now();
        }
    };
    let pool = builder(transport, 1).initializer(only_once, directory.path("mark")).build().expect("it can be built");
    works(&pool);
    let crash = pool.submit(|crash: Crash| -> () { crash.now() }, Crash::Abort).expect("it is open");
    let waiting: Vec<_> = (0..3).map(|n| pool.submit(|n: u8| n, n)).collect();
    assert_eq!(failure(&crash).kind(), ErrorKind::WorkerDied);
    for submitted in waiting {
        let error = match submitted {
            Ok(future) => failure(&future),
            Err(error) => error,
        };
        assert_eq!(error.kind(), ErrorKind::Broken, "{error}");
        assert!(error.to_string().contains("77"), "the reason is missing: {error}");
    }
    assert_eq!(pool.submit(|n: u8| n, 1).expect_err("it is broken").kind(), ErrorKind::Broken);
    pool.shutdown(Shutdown::Drain);
    assert!(pool.worker_pids().is_empty());
}

pub(super) fn cf_074_terminate_after_a_death_is_fine(transport: Transport) {
    for grace in [Duration::ZERO, DEADLINE] {
        let pool = pool(transport, 2);
        assert_eq!(
            failure(&pool.submit(|crash: Crash| -> () { crash.now() }, Crash::Abort).expect("it is open")).kind(),
            ErrorKind::WorkerDied
        );
        let pids = pool.worker_pids();
        pool.shutdown(Shutdown::Terminate { grace });
        wait_gone(&pids, DEADLINE);
    }
}

pub(super) fn cf_116_cf_118_cf_119_cf_120_cf_122_cf_123_any_crash_at_any_stage_costs_one_task(transport: Transport) {
    let pool = pool(transport, 2);
    let gate = Gate::new("beside", DEADLINE);
    let beside = pool.submit(Ticket::pass, gate.ticket(5)).expect("it is open");
    gate.wait_arrivals(1);
    for crash in Crash::ALL {
        let stages: [fn(&ProcessPoolExecutor, Crash) -> Error; 3] = [
            |pool, crash| failure(&pool.submit(|_: CrashesWhenRead| (), CrashesWhenRead(crash)).expect("it is open")),
            |pool, crash| failure(&pool.submit(|crash: Crash| -> () { crash.now() }, crash).expect("it is open")),
            |pool, crash| failure(&pool.submit(CrashesWhenWritten, crash).expect("it is open")),
        ];
        for (stage, fails) in stages.iter().enumerate() {
            let error = fails(&pool, crash);
            assert_eq!(error.kind(), ErrorKind::WorkerDied, "{crash:?} at stage {stage}: {error}");
            let death = error.worker_death().expect("the error has the details of the death");
            assert_eq!(death.exit_code(), crash.exit_code(), "{crash:?} at stage {stage}: {error}");
            assert_eq!(death.signal().is_some(), crash.exit_code().is_none(), "{crash:?} at stage {stage}: {error}");
            works(&pool);
        }
    }
    assert!(beside.running());
    gate.open();
    assert_eq!(value(&beside), 5);
}

pub(super) fn cf_127_a_crash_after_shutdown_was_called(transport: Transport) {
    let pool = pool(transport, 2);
    let gate = Gate::new("late crash", DEADLINE);
    let crash = |(ticket, crash): (Ticket, Crash)| -> u32 {
        ticket.pass();
        crash.now()
    };
    let future = pool.submit(crash, (gate.ticket(0), Crash::Segfault)).expect("it is open");
    gate.wait_arrivals(1);
    pool.close(Shutdown::Drain);
    gate.open();
    assert!(pool.join(Some(DEADLINE)));
    assert_eq!(failure(&future).kind(), ErrorKind::WorkerDied);
}

pub(super) fn a_result_before_a_death_is_not_lost(transport: Transport) {
    for _ in 0..20 {
        let pool = pool(transport, 1);
        let futures: Vec<_> = (0..5).map(|n| pool.submit(|n: u32| n, n).expect("it is open")).collect();
        let crash = pool.submit(|crash: Crash| -> () { crash.now() }, Crash::Exit).expect("it is open");
        assert_eq!(failure(&crash).kind(), ErrorKind::WorkerDied);
        for (n, future) in (0..).zip(&futures) {
            assert_eq!(value(future), n);
        }
    }
}
