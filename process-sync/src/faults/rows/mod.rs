//! The rows of the table: what the victims do, and how the test finds out what is left.

mod barrier;
mod chunks;
mod condition;
mod event;
mod locks;
mod permits;
mod pipe;
mod queue;
mod rw;
mod values;

use std::{
    sync::mpsc::{Sender, channel},
    thread::{self, JoinHandle},
};

use super::table::Row;

/// Returns all rows, always in the same order.
pub(super) fn all() -> Vec<&'static Row> {
    let lists: [&[Row]; 10] = [
        queue::ROWS,
        locks::ROWS,
        rw::ROWS,
        permits::ROWS,
        condition::ROWS,
        event::ROWS,
        barrier::ROWS,
        values::ROWS,
        chunks::ROWS,
        pipe::ROWS,
    ];
    lists.into_iter().flatten().collect()
}

/// Returns the rows of an object, whose holder is the first.
fn all_of(object: &str) -> Vec<&'static Row> {
    all().into_iter().filter(|row| row.object == object).collect()
}

/// A thread of the test that holds something until this is dropped.
struct Held {
    release: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Held {
    /// `hold` calls what it is given while it holds the thing.
    fn hold(hold: impl FnOnce(&mut dyn FnMut()) + Send + 'static) -> Held {
        let ((release, released), (holds, held)) = (channel(), channel());
        let thread = thread::spawn(move || {
            hold(&mut || {
                holds.send(()).unwrap();
                released.recv().unwrap();
            });
        });
        held.recv().expect("it is held");
        Held { release, thread: Some(thread) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.release.send(());
        let outcome = self.thread.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(outcome, Some(Ok(()))));
    }
}
