use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use conformance::{Capabilities, Harness, Setup};
use executor_core::{Backend, Error, ErrorKind, Shutdown, Task};

/// Threads that share one queue.
struct Simple(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    workers: usize,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Task>,
    closed: bool,
    alive: usize,
    handles: Vec<thread::JoinHandle<()>>,
}

impl Simple {
    fn new(workers: usize) -> Simple {
        let state = Mutex::new(State { alive: workers, ..State::default() });
        let shared = Arc::new(Shared { state, changed: Condvar::new(), workers });
        for _ in 0..workers {
            let worker = shared.clone();
            shared.lock().handles.push(thread::spawn(move || worker.work()));
        }
        Simple(shared)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no task runs under this lock")
    }

    fn work(&self) {
        loop {
            let idle = |state: &mut State| state.queue.is_empty() && !state.closed;
            let mut state = self.changed.wait_while(self.lock(), idle).expect("no task runs under this lock");
            let Some(task) = state.queue.pop_front() else {
                state.alive -= 1;
                return self.changed.notify_all();
            };
            drop(state);
            task.run();
        }
    }
}

impl Backend for Simple {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        let mut state = self.0.lock();
        if state.closed {
            return Err(Error::new(ErrorKind::ShutDown, "this executor was shut down"));
        }
        state.queue.push_back(task);
        self.0.changed.notify_all();
        Ok(())
    }

    fn close(&self, mode: Shutdown) {
        let mut state = self.0.lock();
        state.closed = true;
        let rest = if mode == Shutdown::Drain { VecDeque::new() } else { std::mem::take(&mut state.queue) };
        drop(state);
        self.0.changed.notify_all();
        rest.into_iter().for_each(|task| drop(task.cancel()));
    }

    fn join(&self, timeout: Option<Duration>) -> bool {
        let mut state = self.0.lock();
        if state.handles.iter().any(|handle| handle.thread().id() == thread::current().id()) {
            return false;
        }
        let timeout = timeout.unwrap_or(Duration::MAX);
        state = self
            .0
            .changed
            .wait_timeout_while(state, timeout, |state| state.alive > 0)
            .expect("no task runs under this lock")
            .0;
        if state.alive > 0 {
            return false;
        }
        let handles = std::mem::take(&mut state.handles);
        drop(state);
        handles.into_iter().for_each(|handle| handle.join().expect("tasks do not unwind"));
        true
    }

    fn max_workers(&self) -> usize {
        self.0.workers
    }
}

impl Drop for Simple {
    fn drop(&mut self) {
        self.close(Shutdown::Drain);
        self.join(None);
    }
}

/// Describes the back-end to the rules.
struct Mine;

impl Harness for Mine {
    fn name(&self) -> &str {
        "my own"
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities { concurrent: true, ordered: true, shares_memory: true, owns_workers: true, ..Capabilities::NONE }
    }
    fn executor(&self, setup: &Setup) -> Result<Box<dyn Backend>, Error> {
        Ok(Box::new(Simple::new(setup.workers)))
    }
}

conformance::suite!(Mine);
