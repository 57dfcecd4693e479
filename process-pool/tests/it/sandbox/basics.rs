//! What a sandbox says about itself, and what it does first of all.

use executor_core::{ErrorKind, Executor};
use process_pool::{Layer, LayerState, Refusal, Sandbox};

use super::pool;
use crate::support::{get, on_both};

#[test]
fn workers_compute_and_report_what_is_in_force() {
    on_both(|transport| {
        let pool = pool(transport, Sandbox::compute());
        let status = pool.sandbox_status().expect("it has a sandbox");
        for layer in Layer::ALL {
            let expected = if layer == Layer::Namespaces { LayerState::NotAsked } else { LayerState::InForce };
            assert_eq!(status.layer(layer), &expected, "{layer}: {status:?}");
        }
        assert_eq!(get(&pool.submit(|n: u64| n + 1, 41).expect("accepted")).expect("a result"), 42);
        let reads = |path: String| std::fs::read(path).map_err(|error| error.to_string()).map(drop);
        let read = get(&pool.submit(reads, "/etc/passwd".to_string()).expect("accepted")).expect("a result");
        assert_eq!(read, Err("Permission denied (os error 13)".into()));
        assert!(format!("{pool:?}").contains("InForce"));
    });
}

#[test]
fn a_worker_that_is_killed_names_the_call() {
    on_both(|transport| {
        let pool = pool(transport, Sandbox::compute().on_refusal(Refusal::Kill));
        let traces = |()| std::net::TcpListener::bind("127.0.0.1:0").is_ok();
        let error = get(&pool.submit(traces, ()).expect("accepted")).expect_err("it is killed");
        assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
        assert_eq!(error.worker_death().and_then(|death| death.refused()), Some("socket"), "{error}");
        assert_eq!(get(&pool.submit(|n: u64| n + 1, 41).expect("accepted")).expect("a result"), 42);
    });
}
