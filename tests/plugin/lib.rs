//! A dynamic library with a process pool, for `tests/plugins.rs`. A Rust program loads it at run time or when it
//! starts, and Python loads it at run time.

use std::{ffi::c_int, time::Duration};

use executor_core::{ErrorKind, Executor};
use process_pool::{Process, ProcessPoolExecutor, Transport};
use thread_pool::ThreadPoolExecutor;

/// Tries to build pools, and prints the outcomes. Returns 0 if they are refused as they must be.
#[unsafe(no_mangle)]
#[allow(unsafe_code)] // The loading program looks this name up.
pub extern "C" fn builds_pools() -> c_int {
    process_pool::init();
    for transport in [Transport::Ring, Transport::Socket] {
        match ProcessPoolExecutor::builder().transport(transport).max_workers(2).build() {
            Ok(_) => {
                println!("a pool was built");
                return 1;
            }
            Err(error) => {
                println!("refused: {:?}: {error}", error.kind());
                if error.kind() != ErrorKind::Broken {
                    return 2;
                }
            }
        }
    }
    match Process::spawn(|n: u32| n + 1, 1) {
        Ok(_) => {
            println!("a process was spawned");
            return 4;
        }
        Err(error) => println!("process refused: {:?}: {error}", error.kind()),
    }
    // A thread pool works, because it needs no other process.
    let sum =
        ThreadPoolExecutor::new(1).and_then(|pool| pool.submit(|n: u32| n + 1, 1)?.result(Duration::from_secs(100)));
    println!("threads: {sum:?}");
    c_int::from(!matches!(sum, Ok(2))) * 3
}
