//! Two copies of the crates in one program, for example one from a registry and one from git.
//!
//! A program may get a second copy through a dependency without knowing it. The workers of each copy serve its own
//! pools.

use copy_of_executor_core::Executor as _;
use executor_core::Executor as _;
use test_support::DEADLINE;

/// Makes a module for one of the copies. They have the same names and share nothing.
macro_rules! copy {
    ($name:ident, $pool:ident, $other:ident) => {
        mod $name {
            use super::*;

            pub fn pool(on_ring: bool) -> $pool::ProcessPoolExecutor {
                let transport = if on_ring { $pool::Transport::Ring } else { $pool::Transport::Socket };
                $pool::ProcessPoolExecutor::builder()
                    .transport(transport)
                    .max_workers(2)
                    .build()
                    .expect("the pool can be built")
            }

            /// Returns a sum of squares from a pool of this copy, and the error of a task that exits.
            pub fn works(on_ring: bool) -> (u64, String) {
                let pool = pool(on_ring);
                let sum = pool.map(|n: u64| n * n, 1..=4_u64).expect("submitted").map(|n| n.expect("a value")).sum();
                let dead = pool.submit(|()| -> () { std::process::exit(7) }, ()).expect("submitted");
                (sum, format!("{:?}", dead.result(DEADLINE).expect_err("it exits").kind()))
            }

            /// Uses a pool of the other copy in a task of this one, which does the same, to this depth.
            pub fn nests(deep: u32, on_ring: bool) -> (u64, String) {
                fn inside((deep, on_ring): (u32, bool)) -> (u64, String) {
                    if deep == 0 { super::$other::works(on_ring) } else { super::$other::nests(deep - 1, on_ring) }
                }
                pool(on_ring).submit(inside, (deep, on_ring)).expect("submitted").result(DEADLINE).expect("a value")
            }
        }
    };
}

copy!(one, process_pool, two);
copy!(two, copy_of_process_pool, one);

fn expected() -> (u64, String) {
    (30, "WorkerDied".to_string())
}

#[test]
fn each_copy_serves_its_own_pools() {
    for on_ring in [true, false] {
        assert_eq!((one::works(on_ring), two::works(on_ring)), (expected(), expected()));
        let (first, second) = (one::pool(on_ring), two::pool(on_ring));
        let (a, b) = (first.submit(|n: u32| n + 1, 1), second.submit(|n: u32| n + 1, 2));
        assert_eq!((a.unwrap().result(DEADLINE).unwrap(), b.unwrap().result(DEADLINE).unwrap()), (2, 3));
    }
}

#[test]
fn tasks_of_one_copy_use_pools_of_the_other() {
    for on_ring in [true, false] {
        for deep in 0..3 {
            assert_eq!(one::nests(deep, on_ring), expected(), "{deep} deep");
            assert_eq!(two::nests(deep, on_ring), expected(), "{deep} deep");
        }
    }
}

#[test]
fn each_copy_has_an_initializer_of_its_own() {
    static HERE: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    fn sets(n: u32) {
        HERE.store(n, std::sync::atomic::Ordering::Relaxed);
    }
    let reads = |()| HERE.load(std::sync::atomic::Ordering::Relaxed);
    let first = process_pool::ProcessPoolExecutor::builder().max_workers(1).initializer(sets, 1).build().unwrap();
    let second =
        copy_of_process_pool::ProcessPoolExecutor::builder().max_workers(1).initializer(sets, 2).build().unwrap();
    assert_eq!(first.submit(reads, ()).unwrap().result(DEADLINE).unwrap(), 1);
    assert_eq!(second.submit(reads, ()).unwrap().result(DEADLINE).unwrap(), 2);
}
