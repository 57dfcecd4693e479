//! Items of a chunk behave as single tasks do.

use executor_core::{Backend, Error, ErrorKind, Executor, MapOptions, Shutdown};

use crate::support::{SharedDir, add_line, get, on_both, pool, touch, wait_for_file, wait_until};

fn kinds(results: impl Iterator<Item = Result<u32, Error>>) -> Vec<Result<u32, ErrorKind>> {
    results.map(|result| result.map_err(|error| error.kind())).collect()
}

#[test]
fn a_death_costs_one_item_of_its_chunk_and_no_item_runs_twice() {
    fn dies_at_some((path, n): (String, u32)) -> u32 {
        add_line(&path, n);
        match n {
            2 | 3 | 9 => std::process::abort(),
            5 => panic!("five"),
            _ => n,
        }
    }
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 2);
        let inputs: Vec<(String, u32)> = (0..12).map(|n| (dir.path("ran"), n)).collect();
        let results = kinds(pool.map_with(MapOptions::new().chunksize(5), dies_at_some, inputs).unwrap());
        let expected: Vec<Result<u32, ErrorKind>> = (0..12)
            .map(|n| match n {
                2 | 3 | 9 => Err(ErrorKind::WorkerDied),
                5 => Err(ErrorKind::Panicked),
                n => Ok(n),
            })
            .collect();
        assert_eq!(results, expected);
        let mut ran = dir.numbers("ran");
        ran.sort_unstable();
        assert_eq!(ran, (0..12).collect::<Vec<u32>>());
    });
}

#[test]
fn results_of_a_chunk_are_kept_when_the_rest_is_cancelled() {
    fn waits_at_three((path, n): (String, u32)) -> u32 {
        if n == 3 {
            touch(&format!("{path}.runs"));
            wait_for_file(&format!("{path}.die"));
            std::process::abort();
        }
        n
    }
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        let inputs: Vec<(String, u32)> = (0..8).map(|n| (dir.path("chunk"), n)).collect();
        let results = pool.map_with(MapOptions::new().chunksize(4), waits_at_three, inputs).unwrap();
        wait_until("the third item", || dir.has("chunk.runs"));
        pool.close(Shutdown::CancelPending);
        dir.touch("chunk.die");
        let expected = [0, 1, 2].map(Ok).into_iter().chain([Err(ErrorKind::WorkerDied)]);
        let expected: Vec<_> = expected.chain([Err(ErrorKind::Cancelled); 4]).collect();
        assert_eq!(kinds(results), expected);
    });
}

#[test]
fn stopping_an_item_cancels_the_items_behind_it() {
    fn hangs_at_two((path, n): (String, u32)) -> u32 {
        if n == 2 {
            super::support::never_ends(path);
        }
        n
    }
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        let inputs: Vec<(String, u32)> = (0..5).map(|n| (dir.path("runs"), n)).collect();
        let results = pool.map_with(MapOptions::new().chunksize(5), hangs_at_two, inputs).unwrap();
        wait_until("the second item", || dir.has("runs"));
        pool.shutdown(Shutdown::Terminate { grace: std::time::Duration::ZERO });
        let expected = [Ok(0), Ok(1), Err(ErrorKind::Terminated), Err(ErrorKind::Cancelled), Err(ErrorKind::Cancelled)];
        assert_eq!(kinds(results), expected);
    });
}

#[test]
fn a_map_that_is_dropped_stops_its_running_chunk_at_the_next_item() {
    fn notes((path, n): (String, u32)) -> u32 {
        add_line(&path, n);
        if n == 0 {
            wait_for_file(&format!("{path}.open"));
        }
        n
    }
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = pool(transport, 1);
        let inputs: Vec<(String, u32)> = (0..20).map(|n| (dir.path("ran"), n)).collect();
        let results = pool.map_with(MapOptions::new().chunksize(10), notes, inputs).unwrap();
        wait_until("the first item", || dir.has("ran"));
        drop(results);
        dir.touch("ran.open");
        assert_eq!(get(&pool.submit(|n: u32| n, 1).unwrap()).unwrap(), 1);
        assert_eq!(dir.numbers("ran"), [0]);
    });
}

#[test]
fn a_chunk_may_be_larger_than_the_link() {
    on_both(|transport| {
        let pool = pool(transport, 2);
        let inputs: Vec<Vec<u8>> = (0..64_u8).map(|n| vec![n; 40_000]).collect();
        let echo = |bytes: Vec<u8>| bytes;
        let results = pool.map_with(MapOptions::new().chunksize(32), echo, inputs.clone()).unwrap();
        let results: Vec<Vec<u8>> = results.collect::<Result<_, _>>().unwrap();
        assert!(results == inputs);
    });
}
