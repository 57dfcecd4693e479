//! A test target without the test harness, as benches are: its `main` runs once, in the parent, and never in a worker.

use executor_core::{Error, Executor};
use process_pool::ProcessPoolExecutor;

fn main() -> Result<(), Error> {
    if std::env::args().any(|argument| argument == "--list") {
        // Test runners list the tests first.
        if !std::env::args().any(|argument| argument == "--ignored") {
            println!("plain: test");
        }
        return Ok(());
    }
    println!("main runs in {}", std::process::id());
    assert_eq!(std::env::var_os("CONCURRENT_FUTURES_WORKER"), None, "a worker never gets here");
    let pool = ProcessPoolExecutor::new(2)?;
    let squares = pool.map(|n: u64| n * n, 0..100u64)?;
    assert_eq!(squares.sum::<Result<u64, Error>>()?, (0..100u64).map(|n| n * n).sum());
    let pid = pool.submit(|()| std::process::id(), ())?.result(None)?;
    assert_ne!(pid, std::process::id());
    Ok(())
}
