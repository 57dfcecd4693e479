//! A task, and all who have to do with it, played through by loom in every order that it tells apart.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test --release -p executor-core --lib task::model
//! ```
//!
//! The code is the real one: `sync.rs` gives it loom's atomics, locks and cells. A wake-up that is lost is a deadlock,
//! an output that is touched by two at once or read too early is a race on its cell, an allocation that is freed too
//! early is one too, and one that is never freed is a leak; loom reports all of these. What users are promised beyond
//! that is written down by the [`Journal`](journal::Journal) and looked at when everybody is through.

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

/// Plays a model with at most so many preemptions, or fewer where `LOOM_MAX_PREEMPTIONS` says so.
fn explore(preemptions: usize, model: impl Fn(&Arc<Journal>) + Send + Sync + 'static) {
    let asked = loom::model::Builder::new().preemption_bound;
    explore_with(asked.map_or(preemptions, |bound| bound.min(preemptions)), model);
}

/// Plays a model with this bound, for what fewer preemptions do not show.
fn explore_with(preemptions: usize, model: impl Fn(&Arc<Journal>) + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    watch_panics();
    builder.check(move || {
        let journal = Journal::open();
        model(&journal);
        journal.close();
        assert!(!PANICKED.get(), "something panicked, and what it ran in caught it");
    });
}

thread_local! {
    /// Whether anything has panicked on this thread. The code of users is run in `catch.rs`, where also what loom has
    /// to say of it would end, and the models' own assertions in callbacks.
    static PANICKED: Cell<bool> = const { Cell::new(false) };
}

fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The first task puts its own hook in place, which is silent inside of tasks; this one comes on top.
        crate::catch::chain_hook_here();
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !PANICKED.replace(true) {
                let (name, message) = (std::thread::current(), info.payload_as_str().unwrap_or("not text"));
                let place = info.location().map(ToString::to_string).unwrap_or_default();
                eprintln!("thread '{}' panicked at {place}:\n{message}", name.name().unwrap_or("unnamed"));
            }
            previous(info);
        }));
    });
}
