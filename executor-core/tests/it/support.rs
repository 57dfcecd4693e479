//! Back-ends that the test drives step by step, and other helpers that the tests share.

use std::{
    collections::VecDeque,
    future::IntoFuture,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
    thread::Thread,
    time::Duration,
};

use executor_core::{
    Backend, Error, ErrorKind, Future, Shutdown, Task, TaskId,
    function::{batch, outcome},
    host::{self, Host, Registration},
    task::{Encoded, enter_worker},
};
// Not std's mutex, because the thread sanitizer does not see its code.
use parking_lot::Mutex;

/// A time-out with which a call does not wait.
pub const NO_WAIT: Duration = Duration::ZERO;

/// A local back-end that keeps tasks until the test runs them.
#[derive(Clone)]
pub struct Manual(Arc<Inner>);

struct Inner {
    tasks: Mutex<VecDeque<Task>>,
    left_queue: Mutex<Vec<TaskId>>,
    registration: std::sync::OnceLock<Registration>,
}

impl Host for Inner {
    fn left_queue(&self, task: TaskId) {
        self.left_queue.lock().push(task);
    }
}

impl Manual {
    pub fn new() -> Manual {
        let registration = std::sync::OnceLock::new();
        let inner = Arc::new(Inner { tasks: Mutex::default(), left_queue: Mutex::default(), registration });
        let host: Arc<dyn Host> = inner.clone();
        inner.registration.set(host::register(Arc::downgrade(&host))).unwrap();
        Manual(inner)
    }

    pub fn take(&self) -> Task {
        self.0.tasks.lock().pop_front().expect("a task was submitted")
    }

    pub fn len(&self) -> usize {
        self.0.tasks.lock().len()
    }

    /// Returns how many tasks other threads took out of the queue, each of which was reported to the back-end.
    pub fn left_queue(&self) -> usize {
        self.0.left_queue.lock().len()
    }

    pub fn run_all(&self) {
        while self.len() > 0 {
            self.take().run();
        }
    }

    /// Runs code as a worker of this back-end, so that it runs the tasks it waits for inline.
    pub fn as_worker<R>(&self, code: impl FnOnce() -> R) -> R {
        let _worker = enter_worker("test-worker", self.0.registration.get().unwrap().id());
        code()
    }
}

impl Backend for Manual {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        task.attach(self.0.registration.get().unwrap().id());
        self.0.tasks.lock().push_back(task);
        Ok(())
    }
    fn close(&self, _: Shutdown) {}
    fn join(&self, _: Option<Duration>) -> bool {
        true
    }
    fn max_workers(&self) -> usize {
        2
    }
    fn handle(&self) -> Option<Arc<dyn Backend>> {
        Some(Arc::new(self.clone()))
    }
}

/// A back-end that encodes tasks as if for another process, and keeps them until the test runs them.
#[derive(Clone, Default)]
pub struct Remote(Arc<Mutex<VecDeque<Written>>>);

/// An encoded task.
pub struct Written {
    pub task: Task,
    pub encoded: Encoded,
    pub arguments: Vec<u8>,
}

impl Backend for Remote {
    fn schedule(&self, task: Task) -> Result<(), Error> {
        let mut arguments = Vec::new();
        let encoded = task.encode(&mut arguments)?;
        self.0.lock().push_back(Written { task, encoded, arguments });
        Ok(())
    }
    fn close(&self, _: Shutdown) {}
    fn join(&self, _: Option<Duration>) -> bool {
        true
    }
    fn max_workers(&self) -> usize {
        2
    }
}

impl Remote {
    pub fn take(&self) -> Written {
        self.0.lock().pop_front().expect("a task was submitted")
    }

    pub fn complete_all(&self) {
        while !self.0.lock().is_empty() {
            self.take().complete();
        }
    }
}

impl Written {
    /// Returns the reply that a worker process would send.
    pub fn reply(&self) -> Vec<u8> {
        let mut reply = Vec::new();
        if self.encoded.batch.is_none() {
            self.encoded.entry.call(&self.arguments, &mut reply);
            return reply;
        }
        for record in batch::records(&self.arguments) {
            batch::write_record(&mut reply, |into| match batch::read_argument(record) {
                batch::Argument::Call(argument) => self.encoded.entry.call(argument, into),
                batch::Argument::Refused(error) => outcome::write_error(&error, into),
            });
        }
        outcome::close_value(&mut reply);
        reply
    }

    pub fn complete(self) {
        let reply = self.reply();
        drop(self.task.complete(reply));
    }
}

/// Counts how many of its [`Counted`] values were dropped.
#[derive(Clone, Default)]
pub struct Drops(Arc<AtomicUsize>);

pub struct Counted(Drops);

impl Drops {
    pub fn counted(&self) -> Counted {
        Counted(self.clone())
    }
    pub fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, SeqCst);
    }
}

/// Panics when it is dropped.
pub struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("a value that panics when it is dropped");
    }
}

/// A list to which threads append.
#[derive(Clone)]
pub struct Journal<T>(Arc<Mutex<Vec<T>>>);

impl<T: Clone> Journal<T> {
    pub fn new() -> Journal<T> {
        Journal(Arc::default())
    }
    pub fn add(&self, entry: T) {
        self.0.lock().push(entry);
    }
    pub fn entries(&self) -> Vec<T> {
        self.0.lock().clone()
    }
}

/// Calls all of these at the same moment, each in its own thread, and returns their results.
pub fn concurrently<'a, R: Send>(actions: Vec<Box<dyn FnOnce() -> R + Send + 'a>>) -> Vec<R> {
    let barrier = &Barrier::new(actions.len());
    std::thread::scope(|scope| {
        let start = |action: Box<dyn FnOnce() -> R + Send + 'a>| {
            scope.spawn(move || {
                barrier.wait();
                action()
            })
        };
        let threads: Vec<_> = actions.into_iter().map(start).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread of the test panics")).collect()
    })
}

/// Boxes a closure, as the type that [`concurrently`] takes.
pub fn action<'a, R>(code: impl FnOnce() -> R + Send + 'a) -> Box<dyn FnOnce() -> R + Send + 'a> {
    Box::new(code)
}

/// Returns whether `code` panics.
pub fn panics(code: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(code)).is_err()
}

/// Returns the kind of the error of a future that has failed.
pub fn kind<T: Send + 'static>(future: &Future<T>) -> ErrorKind {
    match future.result(NO_WAIT) {
        Ok(_) => panic!("it has a value"),
        Err(error) => error.kind(),
    }
}

/// A waker that unparks a thread and counts how often.
pub struct Parked {
    thread: Thread,
    pub wakes: AtomicUsize,
}

impl Parked {
    pub fn this_thread() -> Arc<Parked> {
        Arc::new(Parked { thread: std::thread::current(), wakes: AtomicUsize::new(0) })
    }
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, SeqCst);
        self.thread.unpark();
    }
}

/// A minimal runtime.
pub fn block_on<F: IntoFuture>(future: F) -> F::Output {
    let mut future = pin!(future.into_future());
    let waker = Waker::from(Parked::this_thread());
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
