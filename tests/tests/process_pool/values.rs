//! Arguments and results.

use std::sync::atomic::{AtomicUsize, Ordering};

use conformance::{Gate, Ticket};
use executor_core::{Backend, ErrorKind, Executor, Shutdown};
use process_pool::Transport;
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use test_support::DEADLINE;
use tests::crash::{Crash, CrashesWhenRead};

use super::{failure, pool, value};

static LIVING: AtomicUsize = AtomicUsize::new(0);

/// A value whose copies in each process are counted.
#[derive(Serialize)]
struct Counted(Vec<u8>);

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Counted, D::Error> {
        LIVING.fetch_add(1, Ordering::SeqCst);
        Vec::deserialize(deserializer).map(Counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        LIVING.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(super) fn cf_057_an_argument_is_dropped_in_the_worker_with_its_task(transport: Transport) {
    let pool = pool(transport, 1);
    for _ in 0..3 {
        let argument = Counted(vec![1; 1000]);
        LIVING.fetch_add(1, Ordering::SeqCst);
        let during = |counted: Counted| (counted.0.len(), LIVING.load(Ordering::SeqCst));
        assert_eq!(value(&pool.submit(during, argument).expect("it is open")), (1000, 1));
        let after = |()| LIVING.load(Ordering::SeqCst);
        assert_eq!(value(&pool.submit(after, ()).expect("it is open")), 0);
    }
}

#[derive(Deserialize)]
struct NotWritten;

impl Serialize for NotWritten {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom("cannot be written"))
    }
}

pub(super) fn cf_128_a_result_that_cannot_be_encoded_after_close(transport: Transport) {
    let pool = pool(transport, 2);
    let gate = Gate::new("late", DEADLINE);
    let late = |ticket: Ticket| {
        ticket.pass();
        NotWritten
    };
    let future = pool.submit(late, gate.ticket(0)).expect("it is open");
    gate.wait_arrivals(1);
    pool.close(Shutdown::Drain);
    gate.open();
    assert!(pool.join(Some(DEADLINE)));
    let error = failure(&future);
    assert_eq!(error.kind(), ErrorKind::Encode);
    assert!(error.to_string().contains("cannot be written"), "{error}");
}

pub(super) fn cf_129_a_crash_while_much_is_written(transport: Transport) {
    let pool = pool(transport, 2);
    let much = vec![7u8; 3 << 20];
    let futures: Vec<_> = (0..4)
        .map(|_| {
            let future = pool.submit(|_: (CrashesWhenRead, Vec<u8>)| (), (CrashesWhenRead(Crash::Abort), much.clone()));
            future.expect("it is open")
        })
        .collect();
    for future in &futures {
        assert_eq!(failure(future).kind(), ErrorKind::WorkerDied);
    }
    assert_eq!(value(&pool.submit(|bytes: Vec<u8>| bytes.len(), much).expect("it is open")), 3 << 20);
}

pub(super) fn cf_130_submit_does_not_wait_for_a_worker_that_does_not_read(transport: Transport) {
    let pool = pool(transport, 1);
    let gate = Gate::new("busy", DEADLINE);
    let busy = pool.submit(Ticket::pass, gate.ticket(0)).expect("it is open");
    gate.wait_arrivals(1);
    let much = vec![7u8; 100_000];
    let futures: Vec<_> =
        (0..100).map(|_| pool.submit(|bytes: Vec<u8>| bytes.len(), much.clone()).expect("it is open")).collect();
    assert!(busy.running());
    gate.open();
    for future in &futures {
        assert_eq!(value(future), 100_000);
    }
}
