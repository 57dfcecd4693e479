//! Python: `daemon = True` lets the child end with its parent; `join(0.0001)` waits hardly at all.

use std::{thread, time::Duration};

use concurrent_futures::{
    Error,
    multiprocessing::{Event, Process},
};

fn piao((name, started): (String, Event)) {
    println!("{name} is piaoing");
    started.set();
    thread::sleep(Duration::from_secs(3600));
    println!("{name} is piao end");
}

pub fn run() -> Result<(), Error> {
    let started = Event::new()?;
    let process = Process::builder().daemon(true).spawn(piao, ("egon".to_owned(), started.clone()))?;
    println!("daemon: {}", process.is_daemon());
    println!("ended within the time-out: {}", process.join(Duration::from_micros(100)));
    started.wait(None);
    println!("main ends");
    // Dropping a daemon kills it. A process that is no daemon is waited for.
    Ok(())
}
