//! The transfer of arguments and results, and its failures.

use executor_core::{ErrorKind, Executor, Future, TaskOptions};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::support::{SharedDir, get, kill, on_both, pool, wait_for_file, wait_until, warm_up};

/// On 32 bits, where a process has few addresses and a debug build copies word by word, less is huge.
const HUGE: usize = if cfg!(target_pointer_width = "64") { 300 << 20 } else { 40 << 20 };

#[test]
fn arguments_and_results_may_be_huge() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        // Text is copied as a whole. A debug build would take long for numbers.
        let length = pool.submit(|text: String| text.len(), "1".repeat(HUGE)).unwrap();
        assert_eq!(get(&length).unwrap(), HUGE);
        let text = get(&pool.submit(|length: usize| "2".repeat(length), HUGE).unwrap()).unwrap();
        assert!(text.len() == HUGE && text.ends_with('2'));
    });
}

#[test]
fn large_and_small_values_in_any_order_arrive_complete() {
    on_both(|transport| {
        let pool = pool(transport, 2);
        let sizes = [0, 1, 100, 70_000, 262_144, 262_145, 1_000_000, 3, 5_000_000, 8, 262_000];
        let tasks = sizes.iter().cycle().take(66);
        let of = |size: usize| char::from(b'a' + (size % 26) as u8).to_string().repeat(size);
        let futures: Vec<(usize, Future<String>)> =
            tasks.map(|size| (*size, pool.submit(|text: String| text, of(*size)).unwrap())).collect();
        for (size, future) in futures {
            assert!(get(&future).unwrap() == of(size));
        }
    });
}

#[test]
fn a_large_argument_that_is_cancelled_while_it_is_sent_blocks_no_other_task() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        warm_up(&pool, 1);
        let worker = pool.worker_pids()[0];
        kill(worker, libc::SIGSTOP);
        let large = pool.submit(|bytes: Vec<u8>| bytes.len(), vec![1; 5_000_000]).unwrap();
        let small = pool.submit(|n: u32| n, 1).unwrap();
        let was_cancelled = large.cancel();
        kill(worker, libc::SIGCONT);
        assert_eq!(get(&small).unwrap(), 1);
        assert_eq!(large.cancelled(), was_cancelled);
        assert_eq!(get(&pool.submit(|n: u32| n, 2).unwrap()).unwrap(), 2);
    });
}

#[test]
fn numbers_of_a_cancelled_task_are_not_the_argument_of_the_next_one() {
    fn sum(numbers: Vec<u64>) -> u64 {
        numbers.iter().sum()
    }
    on_both(|transport| {
        let pool = pool(transport, 1);
        for _ in 0..3 {
            warm_up(&pool, 1);
            let worker = pool.worker_pids()[0];
            kill(worker, libc::SIGSTOP);
            let large = pool.submit(sum, vec![1; 10_000]).unwrap();
            let small = pool.submit(sum, vec![2; 10]).unwrap();
            let of_another_type = pool.submit(|n: u32| n, 1).unwrap();
            let was_cancelled = large.cancel();
            kill(worker, libc::SIGCONT);
            assert_eq!((get(&small).unwrap(), get(&of_another_type).unwrap()), (20, 1));
            assert_eq!(large.cancelled(), was_cancelled);
            assert_eq!(get(&pool.submit(sum, vec![3; 10_000]).unwrap()).unwrap(), 30_000);
        }
    });
}

#[test]
fn a_task_whose_worker_dies_while_its_argument_is_sent_runs_on_another() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        for _ in 0..2 {
            warm_up(&pool, 1);
            let worker = pool.worker_pids()[0];
            kill(worker, libc::SIGSTOP);
            let large = pool.submit(|bytes: Vec<u8>| bytes.len(), vec![1; 5_000_000]).unwrap();
            kill(worker, libc::SIGKILL);
            assert_eq!(get(&large).unwrap(), 5_000_000);
        }
    });
}

#[test]
fn a_worker_that_dies_while_it_sends_a_result_costs_at_most_that_task() {
    fn returns_many_bytes(path: String) -> Vec<u8> {
        super::support::touch(&path);
        vec![1; 50_000_000]
    }
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        for turn in 0..6 {
            let name = format!("{turn}");
            let long = pool.submit(returns_many_bytes, dir.path(&name)).unwrap();
            let behind = pool.submit_with(TaskOptions::new().retries(1), |n: u32| n, turn).unwrap();
            wait_for_file(&dir.path(&name));
            std::thread::park_timeout(std::time::Duration::from_millis(u64::from(turn) * 15));
            kill(pool.worker_pids()[0], libc::SIGKILL);
            match get(&long) {
                Ok(bytes) => assert!(bytes == vec![1; 50_000_000]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}"),
            }
            assert_eq!(get(&behind).unwrap(), turn);
            wait_until("a worker", || pool.worker_pids().len() == 1);
        }
    });
}

/// A value that fails in one step of its transfer.
#[derive(Debug)]
enum FailingValue {
    Fine,
    NotWritten,
    NotRead,
    PanicsWritten,
    PanicsRead,
}

impl Serialize for FailingValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            FailingValue::Fine => 0_u8.serialize(serializer),
            FailingValue::NotRead => 1_u8.serialize(serializer),
            FailingValue::PanicsRead => 2_u8.serialize(serializer),
            FailingValue::NotWritten => Err(ser::Error::custom("it will not be written")),
            FailingValue::PanicsWritten => panic!("while it is written"),
        }
    }
}

impl<'de> Deserialize<'de> for FailingValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FailingValue, D::Error> {
        match u8::deserialize(deserializer)? {
            0 => Ok(FailingValue::Fine),
            1 => Err(de::Error::custom("it will not be read")),
            _ => panic!("while it is read"),
        }
    }
}

#[test]
fn a_value_that_cannot_be_transferred_fails_its_own_task() {
    fn makes(kind: u8) -> FailingValue {
        match kind {
            0 => FailingValue::Fine,
            1 => FailingValue::NotWritten,
            2 => FailingValue::NotRead,
            3 => FailingValue::PanicsWritten,
            _ => FailingValue::PanicsRead,
        }
    }
    on_both(|transport| {
        let pool = pool(transport, 1);
        let takes = |_: FailingValue| 1_u32;
        assert_eq!(pool.submit(takes, FailingValue::NotWritten).unwrap_err().kind(), ErrorKind::Encode);
        assert_eq!(pool.submit(takes, FailingValue::PanicsWritten).unwrap_err().kind(), ErrorKind::Panicked);
        let not_read = pool.submit(takes, FailingValue::NotRead).unwrap();
        assert_eq!(get(&not_read).unwrap_err().kind(), ErrorKind::Decode);
        let panics = pool.submit(takes, FailingValue::PanicsRead).unwrap();
        assert_eq!(get(&panics).unwrap_err().kind(), ErrorKind::Panicked);
        let kinds = [None, Some(ErrorKind::Encode), Some(ErrorKind::Decode), Some(ErrorKind::Panicked)];
        for (number, kind) in kinds.into_iter().chain([Some(ErrorKind::Panicked)]).enumerate() {
            let future = pool.submit(makes, number as u8).unwrap();
            assert_eq!(get(&future).err().map(|error| error.kind()), kind, "result {number}");
        }
        assert_eq!(get(&pool.submit(takes, FailingValue::Fine).unwrap()).unwrap(), 1);
        assert_eq!(pool.worker_pids().len(), 1);
    });
}

/// A value that panics when it is dropped, in any process.
#[derive(Serialize, Deserialize)]
struct Bomb(u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0 == 1 {
            panic!("in a drop");
        }
    }
}

#[test]
fn a_value_whose_drop_panics_fails_only_its_task() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        let worker = get(&pool.submit(|()| std::process::id(), ()).unwrap()).unwrap();
        // The argument is dropped in this process and in the function.
        let argument = pool.submit(|bomb: Bomb| bomb.0, Bomb(1)).unwrap();
        assert_eq!(get(&argument).unwrap_err().kind(), ErrorKind::Panicked);
        // The worker drops the result after it is encoded.
        let result = pool.submit(|number: u32| Bomb(number), 1).unwrap();
        std::mem::forget(get(&result).unwrap());
        assert_eq!(get(&pool.submit(|()| std::process::id(), ()).unwrap()).unwrap(), worker);
    });
}
