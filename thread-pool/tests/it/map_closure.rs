//! A map over inputs and results without serde.

use std::{
    rc::Rc,
    sync::{Arc, Mutex, mpsc::channel},
};

use executor_core::{ErrorKind, Shutdown};
use thread_pool::ThreadPoolExecutor;

use crate::support::{Blocker, HANGS, watched};

/// Neither `Clone` nor known to serde.
#[derive(Debug, PartialEq)]
struct Opaque(usize);

#[test]
fn results_come_in_the_order_of_the_inputs() {
    for workers in [1, 3] {
        watched(move || {
            let pool = ThreadPoolExecutor::new(workers).unwrap();
            for items in [0, 1, 5, 1000] {
                let offset = Arc::new(Opaque(7));
                let map = pool.map_closure(move |n: Opaque| Opaque(n.0 + offset.0), (0..items).map(Opaque)).unwrap();
                assert_eq!(map.len(), items);
                let results: Vec<Opaque> = map.map(Result::unwrap).collect();
                assert!(results.iter().enumerate().all(|(place, result)| result.0 == place + 7));
            }
        });
    }
}

#[test]
fn the_inputs_may_come_from_an_iterator_that_stays_on_its_thread() {
    let pool = ThreadPoolExecutor::new(1).unwrap();
    let shared = Rc::new(3);
    let map = pool.map_closure(|n: i32| n * 2, (0..4).map(|n| n + *shared)).unwrap();
    assert_eq!(map.map(Result::unwrap).collect::<Vec<_>>(), [6, 8, 10, 12]);
}

#[test]
fn a_panic_is_the_error_of_its_input_alone() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(2).unwrap();
        let map = pool.map_closure(|n: u32| assert!(n % 100 != 50, "not {n}"), 0..1000).unwrap();
        for (n, result) in map.enumerate() {
            match result {
                Ok(()) => assert_ne!(n % 100, 50),
                Err(error) => assert_eq!(error.panic().unwrap().message(), format!("not {n}")),
            }
        }
    });
}

#[test]
fn dropping_the_iterator_cancels_what_has_not_started() {
    watched(|| {
        let pool = ThreadPoolExecutor::new(1).unwrap();
        let blocker = Blocker::start(&pool);
        let (send, ran) = channel();
        let send = Mutex::new(send);
        drop(pool.map_closure(move |n: u32| send.lock().unwrap().send(n).unwrap(), 0..100).unwrap());
        blocker.release();
        assert!(pool.wait_idle());
        assert_eq!(ran.iter().count(), 0);
    });
}

#[test]
fn a_closed_pool_is_an_error() {
    let pool = ThreadPoolExecutor::new(1).unwrap();
    let blocker = Blocker::start(&pool);
    let map = pool.map_closure(|n: u32| n, 0..3).unwrap();
    executor_core::Backend::close(&pool, Shutdown::CancelPending);
    assert!(map.map(|result| result.unwrap_err().kind()).all(|kind| kind == ErrorKind::Cancelled));
    assert_eq!(pool.map_closure(|n: u32| n, 0..3).unwrap_err().kind(), ErrorKind::ShutDown);
    assert!(blocker.future.running());
    blocker.open();
    assert!(blocker.future.result(HANGS).is_ok());
}
