//! A plug-in: a dynamic library with a pool of processes in it, for `tests/plugins.rs`. It is loaded by a program in
//! Rust, by Python, and at the start of a program.

use std::{ffi::c_int, time::Duration};

use executor_core::{ErrorKind, Executor};
use process_pool::{ProcessPoolExecutor, Transport};
use thread_pool::ThreadPoolExecutor;

/// Builds pools, and prints what comes of it. Returns 0 if it was refused as it should be.
#[unsafe(no_mangle)]
#[allow(unsafe_code)] // A name for whoever loads it.
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
    // What needs no other process works as everywhere.
    let sum =
        ThreadPoolExecutor::new(1).and_then(|pool| pool.submit(|n: u32| n + 1, 1)?.result(Duration::from_secs(100)));
    println!("threads: {sum:?}");
    c_int::from(!matches!(sum, Ok(2))) * 3
}
