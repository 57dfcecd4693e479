//! Python: five `Process`es named `pro-0` to `pro-4` count; the parent measures the time, and prints name, pid and
//! exit code of each. One more is terminated.

use std::{thread, time::Duration, time::Instant};

use concurrent_futures::{Error, multiprocessing::Process};

fn count(to: u64) -> u64 {
    (1..=to).sum()
}

fn never(_: ()) {
    thread::sleep(Duration::from_secs(3600));
}

pub fn run() -> Result<(), Error> {
    let started = Instant::now();
    let mut processes = Vec::new();
    for number in 0..5 {
        processes.push(Process::builder().name(format!("pro-{number}")).spawn(count, 1000 * number)?);
    }
    for process in &processes {
        process.join(None);
        println!("{} ({}) ended with {:?}", process.name(), process.pid(), process.exit_code());
    }
    println!("{:.2} seconds", started.elapsed().as_secs_f64());
    let sum = processes.iter().map(|process| process.result(None)).sum::<Result<u64, Error>>()?;
    println!("together they counted {sum}");

    let sleeper = Process::builder().name("sleeper").spawn(never, ())?;
    sleeper.terminate();
    sleeper.join(None);
    println!("{} ended with {:?}", sleeper.name(), sleeper.exit_code());
    Ok(())
}
