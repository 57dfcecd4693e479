use executor_core::{Backend, Error, Executor, InlineExecutor};

fn is_prime(n: u64) -> bool {
    n > 1 && (2..n).all(|d| n % d != 0)
}

fn main() -> Result<(), Error> {
    let executor: Box<dyn Backend> = Box::new(InlineExecutor::new());
    assert!(executor.submit(is_prime, 97)?.result(None)?);
    assert_eq!(executor.submit(|(a, b): (u64, u64)| a + b, (1, 2))?.result(None)?, 3);
    Ok(())
}
