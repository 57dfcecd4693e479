//! Prints the state of the pools and ends the program when a scenario makes no progress for a long time.
//!
//! The watchdog of `conformance` has a deadline for the whole run, which a scenario of chosen length cannot have.

use std::{
    fmt::Debug,
    process,
    sync::{Arc, Weak},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

/// Watches a scenario until it is dropped.
pub(super) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    over: Condvar,
}

#[derive(Default)]
struct State {
    is_over: bool,
    last_progress: Option<Instant>,
    step: String,
    details: String,
    pools: Vec<Weak<dyn Debug + Send + Sync>>,
}

impl Watchdog {
    /// Starts the watchdog. `title` names the scenario in the report and says how to run it again.
    pub(super) fn start(title: String, hang_after: Duration) -> Watchdog {
        let shared: Arc<Shared> = Arc::default();
        shared.state.lock().last_progress = Some(Instant::now());
        let watched = shared.clone();
        let thread = thread::Builder::new().name("watchdog".into()).spawn(move || run(&watched, &title, hang_after));
        Watchdog { shared, thread: Some(thread.expect("a thread can be started")) }
    }

    /// Reports progress.
    pub(super) fn progress(&self) {
        self.shared.state.lock().last_progress = Some(Instant::now());
    }

    /// Names the step that begins, and reports progress.
    pub(super) fn begin(&self, what: impl Into<String>) {
        let mut state = self.shared.state.lock();
        state.last_progress = Some(Instant::now());
        state.step = what.into();
        state.details.clear();
    }

    /// Adds details of the current step to the report, without reporting progress.
    pub(super) fn describe(&self, details: impl Into<String>) {
        self.shared.state.lock().details = details.into();
    }

    /// Adds a pool to the report.
    pub(super) fn pool<P: Debug + Send + Sync + 'static>(&self, pool: &Arc<P>) {
        let pool: Weak<dyn Debug + Send + Sync> = Arc::<P>::downgrade(pool);
        let pools = &mut self.shared.state.lock().pools;
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(pool);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.state.lock().is_over = true;
        self.shared.over.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, title: &str, hang_after: Duration) {
    let mut state = shared.state.lock();
    while !state.is_over {
        let since = state.last_progress.map_or(Duration::ZERO, |progress| progress.elapsed());
        if since >= hang_after {
            let pools: Vec<_> = state.pools.iter().filter_map(Weak::upgrade).collect();
            eprintln!("{title} HANGS: no progress for {since:.1?} while {}{}", state.step, state.details);
            for pool in &pools {
                eprintln!("{pool:#?}");
            }
            // All other threads are stuck. The workers end with this process.
            process::exit(3);
        }
        shared.over.wait_for(&mut state, hang_after - since);
    }
}
