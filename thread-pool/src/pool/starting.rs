//! Starting workers, and changing how many there may be.
//!
//! [`Sleep`](crate::sleep::Sleep) decides whether a worker is started, and counts it from then on.

use std::{io, sync::atomic::Ordering::Relaxed};

use executor_core::{Error, ErrorKind};

use super::{Pool, place::Place};
use crate::{initializer::RunTask, phase::Phase, sleep::MAX_WORKERS, worker::Start};

impl Pool {
    /// Starts a worker that is counted already, for a task that has found none idle. If the system refuses the thread,
    /// the workers that there are run the task: at least one is always there.
    #[cold]
    pub(super) fn start_one_more(&self) {
        if self.start_worker().is_err() {
            self.start_was_refused(1);
        }
    }

    fn start_was_refused(&self, count: usize) {
        self.sleep.starts_were_refused(count);
        // All workers may sleep, now that this one is not counted any more.
        self.left_for_waiters();
    }

    /// Starts a worker that is counted already. It does nothing if the pool has ended meanwhile.
    fn start_worker(&self) -> io::Result<()> {
        let mut starter = self.threads.starter();
        if !self.exit_gate.enter() {
            return Ok(());
        }
        let initializer = self.initializer.as_ref().map(|initializer| initializer.task());
        let started = self.start_thread(&mut starter, initializer, true);
        if started.is_err() {
            self.exit_gate.forget_worker();
        }
        started
    }

    /// Starts a worker with a task that runs the initializer. The exit gate counts it already. `is_late` says that the
    /// pool was built before.
    pub(crate) fn start_thread(
        &self,
        starter: &mut crate::threads::Starter<'_>,
        initializer: Option<RunTask>,
        is_late: bool,
    ) -> io::Result<()> {
        let refused = |why: &str| io::Error::other(why.to_string());
        let pool = self.own.upgrade().ok_or_else(|| refused("the pool is being dropped"))?;
        let (index, place) = self.take_place().ok_or_else(|| refused("there are too many workers"))?;
        self.phases[index].set_starting(self.initializer.is_some());
        let mut thread = std::thread::Builder::new().name(format!("{}_{index}", self.name));
        if let Some(bytes) = self.stack_size {
            thread = thread.stack_size(bytes);
        }
        // The place is sent to the thread once it runs. If it were part of the closure, a thread that cannot be started
        // would drop it.
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        let started = starter.start(thread, move || {
            if let Ok(start) = receive.recv() {
                Start::run(start);
            }
        });
        match started {
            Ok(()) => {
                let _ = send.send(Start { pool, index, place, is_late, initializer });
                Ok(())
            }
            Err(cause) => {
                self.phases[index].set_gone();
                self.return_place(index, place);
                Err(cause)
            }
        }
    }

    /// Takes the free place with the lowest number, and makes more if there is none. The caller holds the right to
    /// start threads.
    fn take_place(&self) -> Option<(usize, Place)> {
        if let Some(first) = self.free_places.take_first() {
            return Some(first);
        }
        let length = self.stealers.len() + 1;
        let places: Vec<Place> = self.sleep.grow(length).into_iter().map(Place::new).collect();
        let begin = self.stealers.len();
        let place = |index: usize| &places[index - begin];
        // Those that look for work go by the number of stealers, so that comes last.
        self.phases.grow(length, |_| Phase::of_no_worker());
        self.joiners.grow(length, |index| place(index).joiner());
        self.scoped.grow(length, |index| place(index).scoped_stealer());
        self.stealers.grow(length, |index| place(index).stealer());
        self.free_places.put_all((begin..).zip(places));
        self.free_places.take_first()
    }

    /// Takes the place of a worker that has left.
    pub(crate) fn return_place(&self, index: usize, place: Place) {
        self.free_places.put_all([(index, place)]);
    }

    /// Lets another worker find what a worker that has left has left behind in its queues. `stale` is the number of
    /// stale tasks that the worker has counted there.
    pub(crate) fn leave_behind(&self, stale: usize) {
        // The next task that becomes stale checks the number.
        let _ = self.stale.add(stale);
        // Workers of a closed pool leave no task behind, and those of others that come too late belong to their
        // submitters.
        if !self.sleep.is_closed() && self.has_work() {
            self.after_move();
        }
    }

    /// Makes the number of threads that were started the number of workers. Fewer were started than planned.
    pub(crate) fn make_do_with(&self, started: usize, planned: usize) {
        (started..planned).for_each(|_| self.exit_gate.forget_worker());
        self.note_max_workers(self.sleep.make_do_with(started));
    }

    fn note_max_workers(&self, workers: usize) {
        // ORDERING: nothing depends on the value.
        self.most_workers.store(workers, Relaxed);
    }

    /// Changes the largest number of workers.
    pub(crate) fn resize(&self, workers: usize) -> Result<(), Error> {
        self.generation.check()?;
        if self.sleep.is_closed() {
            return Err(self.refusal());
        }
        if workers == 0 || workers > MAX_WORKERS {
            let message = format!(
                "{} cannot be resized to {workers} workers: give it 1 to {MAX_WORKERS}, or shut it down",
                self.name
            );
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let Some(missing) = self.sleep.resize(workers) else { return Err(self.refusal()) };
        self.note_max_workers(workers);
        for started in 0..missing {
            if let Err(cause) = self.start_worker() {
                self.start_was_refused(missing - started);
                return Err(Error::new(
                    ErrorKind::Other,
                    format!(
                        "{} has {} fewer workers than the {workers} that it was resized to, because the system refused \
                         to start a thread: {cause}; see `ulimit -u` and the container's pids limit, and resize it again",
                        self.name,
                        missing - started
                    ),
                ));
            }
        }
        Ok(())
    }
}
