//! Python: `terminate` asks the process to end; `is_alive` may still be true just after it, and is false after `join`.

use std::{thread, time::Duration};

use concurrent_futures::{Error, multiprocessing::Process};

fn sleep() {
    thread::sleep(Duration::from_secs(3600));
}

pub fn run() -> Result<(), Error> {
    let process = Process::spawn(|()| sleep(), ())?;
    println!("alive: {}", process.is_alive());
    process.terminate();
    process.join(None);
    println!("alive after terminate and join: {}", process.is_alive());
    println!("exit code: {:?}", process.exit_code());
    Ok(())
}
