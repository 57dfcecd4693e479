//! Python: `Queue(3)`. `put` until it is `full`; `put_nowait` raises `Full`; `get` until it is `empty`; `get_nowait`
//! raises `Empty`.

use std::time::Duration;

use concurrent_futures::{Error, multiprocessing::Queue};

pub fn run() -> Result<(), Error> {
    let queue = Queue::bounded(3)?;
    for n in 1..=3 {
        queue.put(n)?;
    }
    println!("full: {}", queue.is_full());
    println!("put without waiting: {}", queue.try_put(4)?);
    println!("put with a time-out: {:?}", queue.put_timeout(4, Duration::from_millis(1)).map_err(|error| error.kind()));
    for _ in 0..3 {
        println!("get: {}", queue.get(None)?);
    }
    println!("empty: {}", queue.is_empty());
    println!("get without waiting: {:?}", queue.try_get()?);
    println!("get with a time-out: {:?}", queue.get(Duration::from_millis(1)).map_err(|error| error.kind()));
    Ok(())
}
