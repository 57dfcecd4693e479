//! How long it takes until a lock goes from a dead holder to a thread that waits for it.

use std::{
    thread,
    time::{Duration, Instant},
};

use concurrent_futures::multiprocessing::{Event, Lock};
use executor_core::Executor;

use super::{Guest, Role, Run, end, leaving_nothing};
use crate::soak::killer;

pub(super) const ROLES: &[(&str, Role)] = &[("keep", keep)];

fn keep(guest: &Guest) {
    let (lock, held): (Lock, Event) = guest.receive();
    std::mem::forget(lock.lock().unwrap_or_else(|_| lock.recover()));
    held.set();
    loop {
        thread::park();
    }
}

/// A worker of a pool dies with a lock, and then a process of which no pool knows: the thread that waits is woken in
/// the first case, and asks for itself in the second.
pub(in crate::soak) fn take_over(run: &mut Run) {
    leaving_nothing(run, |run, stage| {
        let lock = Lock::new().expect("a lock");
        let pool = run.build(run.builder(1));
        let (mut told, mut asked) = (Vec::new(), Vec::new());
        for _ in 0..run.amount {
            let held = Event::new().expect("an event");
            let task = |(lock, held): (Lock, Event)| {
                std::mem::forget(lock.lock().unwrap_or_else(|_| lock.recover()));
                held.set();
                loop {
                    thread::park();
                }
            };
            let holder = pool.submit::<_, _, ()>(task, (lock.clone(), held.clone())).expect("submitted");
            held.wait(None);
            let pid = pool.worker_pids()[0];
            told.push(time(&lock, || assert!(killer::kill(&pool, pid))));
            drop(holder.result(None));
            run.watch.progress();

            let held = Event::new().expect("an event");
            let holder = stage.start("keep", &(lock.clone(), held.clone()));
            held.wait(None);
            asked.push(time(&lock, || end(holder)));
            run.watch.progress();
        }
        crate::soak::end(pool);
        for (name, mut times) in [("told by the pool", told), ("asked by the waiter", asked)] {
            times.sort_unstable();
            let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
            let text = format!("{:.1} ms, {:.1}, {:.1}, {:.1}", at(0.5), at(0.9), at(0.99), at(1.0));
            run.figure(&format!("{name}: median, 90 %, 99 %, most:"), text);
        }
    });
}

/// Returns the time from the death of the holder to the possession of a thread that has waited for a while.
fn time(lock: &Lock, kill: impl FnOnce()) -> Duration {
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let guard = lock.lock().unwrap_or_else(|_| lock.recover());
            let now = Instant::now();
            drop(guard);
            now
        });
        // By then it looks as rarely as it ever does.
        thread::sleep(Duration::from_millis(300));
        let start = Instant::now();
        kill();
        waiter.join().expect("no panic").saturating_duration_since(start)
    })
}
