//! Python: two threads add to a global balance and take away the same amount, under a `threading.Lock`. It prints 0.

use std::thread;

use concurrent_futures::{
    Error,
    multiprocessing::{Lock, Value},
};

fn change(balance: &Value<i64>, n: i64) {
    balance.set(balance.get() + n);
    balance.set(balance.get() - n);
}

fn run_thread(lock: &Lock, balance: &Value<i64>, n: i64) -> Result<(), Error> {
    for _ in 0..10_000 {
        let _held = lock.lock()?;
        change(balance, n);
    }
    Ok(())
}

pub fn run() -> Result<(), Error> {
    let (lock, balance) = (Lock::new()?, Value::new(0i64)?);
    thread::scope(|scope| {
        let threads = [5, 8].map(|n| {
            scope.spawn({
                let (lock, balance) = (&lock, &balance);
                move || run_thread(lock, balance, n)
            })
        });
        threads.into_iter().try_for_each(|thread| thread.join().expect("the thread does not panic"))
    })?;
    println!("{}", balance.get());

    // For a single number, `update` needs no lock beside it.
    thread::scope(|scope| {
        for n in [5, 8] {
            let balance = &balance;
            scope.spawn(move || {
                for _ in 0..10_000 {
                    balance.update(|value| *value += n);
                    balance.update(|value| *value -= n);
                }
            });
        }
    });
    println!("{}", balance.get());
    Ok(())
}
