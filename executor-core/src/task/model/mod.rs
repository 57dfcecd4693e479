//! Models of a task and the threads around it, which loom runs in every order that it distinguishes.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --release -p concurrent-futures-core --lib task::model
//! ```
//!
//! The code is the real one, with loom's atomics, locks and cells from `sync.rs`. Loom reports a lost wake-up as a
//! deadlock, and an allocation that is never freed as a leak. It reports a race if two threads touch the output, if the
//! output is read too early, or if an allocation is freed too early. The [`Journal`](journal::Journal) records
//! everything else that users are promised, and checks it at the end of each run.

mod actors;
mod blocks;
mod claims;
mod effect;
mod journal;
mod pairs;
mod reading;
mod waiting;

use std::{
    cell::Cell,
    panic,
    sync::{Arc, Once},
};

use journal::Journal;

/// Runs a model with at most this many preemptions, or fewer if `LOOM_MAX_PREEMPTIONS` is smaller.
fn explore(preemptions: usize, model: impl Fn(&Arc<Journal>) + Send + Sync + 'static) {
    let asked = loom::model::Builder::new().preemption_bound;
    explore_with(asked.map_or(preemptions, |bound| bound.min(preemptions)), model);
}

/// Runs a model as [`explore`] does, but with one preemption fewer if `LOOM_MAX_PREEMPTIONS` is set. That is for models
/// with the most orders, if others make the same steps race with all preemptions.
fn explore_less(preemptions: usize, model: impl Fn(&Arc<Journal>) + Send + Sync + 'static) {
    let asked = loom::model::Builder::new().preemption_bound;
    explore_with(asked.map_or(preemptions, |bound| preemptions.min(bound.saturating_sub(1))), model);
}

/// Runs a model with this bound, for cases that fewer preemptions do not reach.
fn explore_with(preemptions: usize, model: impl Fn(&Arc<Journal>) + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    watch_panics();
    builder.check(move || {
        let journal = Journal::open();
        model(&journal);
        journal.close();
        assert!(!PANICKED.get(), "a panic was caught");
    });
}

thread_local! {
    /// Whether anything has panicked on this thread. `catch.rs` runs user code, and so would also catch loom's reports
    /// and the models' own assertions in callbacks.
    static PANICKED: Cell<bool> = const { Cell::new(false) };
}

fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The first task chains its own hook, which is silent inside tasks. This one is chained after it.
        crate::catch::chain_hook_even_on_worker();
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !PANICKED.replace(true) {
                let (name, message) =
                    (std::thread::current(), info.payload().downcast_ref::<&str>().unwrap_or(&"not text"));
                let place = info.location().map(ToString::to_string).unwrap_or_default();
                eprintln!("thread '{}' panicked at {place}:\n{message}", name.name().unwrap_or("unnamed"));
            }
            previous(info);
        }));
    });
}
