//! What several of the tests need.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use executor_core::Future;
use thread_pool::ThreadPoolExecutor;

/// Longer than anything takes on the busiest machine: a test that reaches it hangs.
pub const HANGS: Duration = Duration::from_secs(120);

/// Runs a test on a thread of its own, and fails if it hangs.
pub fn watched<R: Send + 'static>(test: impl FnOnce() -> R + Send + 'static) -> R {
    let (done, over) = channel();
    let thread = thread::spawn(move || {
        let result = test();
        let _ = done.send(());
        result
    });
    if over.recv_timeout(HANGS) == Err(RecvTimeoutError::Timeout) {
        panic!("the test hangs");
    }
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// A task that runs until it is released.
pub struct Blocker {
    release: Sender<()>,
    pub future: Future<()>,
}

impl Blocker {
    /// Occupies one worker; it runs when this returns.
    pub fn start(pool: &ThreadPoolExecutor) -> Blocker {
        let (release, released): (Sender<()>, Receiver<()>) = channel();
        let (running, runs) = channel();
        let future = pool
            .spawn(move || {
                running.send(()).unwrap();
                let _ = released.recv();
            })
            .unwrap();
        runs.recv_timeout(HANGS).unwrap();
        Blocker { release, future }
    }

    pub fn release(self) {
        drop(self.release);
        self.future.result(HANGS).unwrap();
    }
}
