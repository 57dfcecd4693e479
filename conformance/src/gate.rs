//! A gate, at which tasks report and wait, in any process and thread.
//!
//! A gate listens on a port of the loopback interface. A task that has a [`Ticket`] connects, sends its label, and
//! reads one byte: the gate holds the task until it sends that byte or closes the connection. So events show a test
//! when a task started, in which order tasks started, how many were held at the same time, and when one of them died. A
//! task whose worker has [connected before](crate::HubAddress) uses one of those connections in the same way.

use std::{
    collections::BTreeSet,
    fmt,
    io::Read,
    net::{Ipv4Addr, TcpListener, TcpStream},
    process,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    hello::Hello,
    hub::{self, Entrance},
    ticket::Ticket,
    visitor::Visitor,
};

/// The arrival of a task at a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The label of the task.
    pub label: u32,
    /// The id of the process that ran it, and a number for the thread.
    pub worker: (u32, u64),
}

/// The test's side of a gate.
pub struct Gate {
    shared: Arc<Shared>,
    ticket: Ticket,
    timeout: Duration,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    name: String,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    open: bool,
    arrivals: Vec<Arrival>,
    held: Vec<(u32, Visitor)>,
    most_held: usize,
    gone: BTreeSet<u32>,
    stopped: bool,
}

impl Gate {
    /// Creates a closed gate. Its `wait_` methods panic after `timeout`.
    pub fn new(name: &str, timeout: Duration) -> Gate {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback interface has a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let key = (u64::from(process::id()) << 32) | NEXT.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::new(Shared { name: name.to_string(), state: Mutex::default(), changed: Condvar::new() });
        let entrance: Weak<Shared> = Arc::downgrade(&shared);
        hub::add(key, entrance);
        let acceptor = {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name(format!("gate-{name}"))
                .spawn(move || shared.accept(&listener, key))
                .expect("a thread can be started")
        };
        Gate { shared, ticket: Ticket { port, key, label: 0 }, timeout, acceptor: Some(acceptor) }
    }

    /// Returns a ticket for the task with this label.
    pub fn ticket(&self, label: u32) -> Ticket {
        Ticket { label, ..self.ticket }
    }

    /// Releases all tasks, now and later.
    pub fn open(&self) {
        self.shared.open();
    }

    /// Returns `true` if the gate was opened.
    pub(crate) fn is_open(&self) -> bool {
        self.shared.lock().open
    }

    /// Returns a guard that opens the gate when it is dropped, so that a rule that fails does not wait for its own
    /// tasks.
    pub(crate) fn open_on_drop(&self) -> OpenOnDrop<'_> {
        OpenOnDrop(self)
    }

    /// Releases one held task.
    ///
    /// # Panics
    ///
    /// Panics if that task is not held here.
    pub fn release(&self, label: u32) {
        let mut state = self.shared.lock();
        let index = state.held.iter().position(|(held, _)| *held == label);
        let index = index.unwrap_or_else(|| panic!("task {label} is not held at {self:?}"));
        let (_, visitor) = state.held.remove(index);
        visitor.let_go();
    }

    /// Returns the arrivals in their order.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.shared.lock().arrivals.clone()
    }

    /// Returns the labels of the arrivals in their order.
    pub fn labels(&self) -> Vec<u32> {
        self.shared.lock().arrivals.iter().map(|arrival| arrival.label).collect()
    }

    /// Returns the workers from which tasks arrived.
    pub fn workers(&self) -> BTreeSet<(u32, u64)> {
        self.shared.lock().arrivals.iter().map(|arrival| arrival.worker).collect()
    }

    /// Returns the maximum number of tasks that were held at the same time.
    pub fn most_held(&self) -> usize {
        self.shared.lock().most_held
    }

    /// Waits until this many tasks have arrived, and returns the arrivals.
    ///
    /// # Panics
    ///
    /// Panics if they do not arrive in time.
    pub fn wait_arrivals(&self, count: usize) -> Vec<Arrival> {
        self.wait_for(&format!("{count} tasks to arrive"), |state| state.arrivals.len() >= count);
        self.arrivals()
    }

    /// Waits until the task with this label has arrived.
    ///
    /// # Panics
    ///
    /// Panics if it does not arrive in time.
    pub fn wait_for_label(&self, label: u32) {
        self.wait_for(&format!("task {label} to arrive"), |state| {
            state.arrivals.iter().any(|arrival| arrival.label == label)
        });
    }

    /// Lets tasks that are about to connect arrive. A rule calls this before it checks that no more tasks arrived. It
    /// connects a number of times itself, and connections are handled in order.
    pub fn flush(&self) {
        for _ in 0..20 {
            // The key is not the key of this gate, so this is not recorded as an arrival.
            Ticket { key: 0, ..self.ticket }.report();
        }
    }

    /// Waits until a task that was held here no longer exists, because it was stopped or its process died.
    ///
    /// # Panics
    ///
    /// Panics if that does not happen in time.
    pub fn wait_gone(&self, label: u32) {
        let deadline = Instant::now() + self.timeout;
        loop {
            self.shared.remove_gone();
            let state = self.shared.lock();
            if state.gone.contains(&label) {
                return;
            }
            assert!(Instant::now() < deadline, "task {label} is still held at {}", Shown(&self.shared.name, &state));
            // Closing the other end does not notify the condition variable, so this polls.
            drop(self.shared.changed.wait_timeout(state, Duration::from_millis(2)));
        }
    }

    fn wait_for(&self, what: &str, condition: impl Fn(&State) -> bool) {
        let (state, waited) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.lock(), self.timeout, |state| !condition(state))
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let description = Shown(&self.shared.name, &state).to_string();
        drop(state);
        assert!(!waited.timed_out(), "waited {:?} for {what}: {description}", self.timeout);
    }

    /// Returns the gate in the form that the watchdog needs.
    pub(crate) fn watch(&self) -> Box<dyn Latch> {
        Box::new(Arc::clone(&self.shared))
    }
}

/// A gate, as the watchdog uses it.
pub(crate) trait Latch: Send {
    /// Returns which tasks have arrived and which are held.
    fn describe(&self) -> String;
    /// Releases all tasks.
    fn open(&self);
}

impl Latch for Arc<Shared> {
    fn describe(&self) -> String {
        Shown(&self.name, &self.lock()).to_string()
    }
    fn open(&self) {
        Shared::open(self);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        hub::remove(self.ticket.key);
        self.shared.open();
        self.shared.lock().stopped = true;
        // The acceptor checks `stopped` after each connection, so it needs one more.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.ticket.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Shown(&self.shared.name, &self.shared.lock()), f)
    }
}

/// Opens a gate when it is dropped. See [`Gate::open_on_drop`].
pub(crate) struct OpenOnDrop<'a>(&'a Gate);

impl Drop for OpenOnDrop<'_> {
    fn drop(&mut self) {
        self.0.open();
    }
}

struct Shown<'a>(&'a str, &'a State);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(name, state) = self;
        let arrived: Vec<u32> = state.arrivals.iter().map(|arrival| arrival.label).collect();
        let held: Vec<u32> = state.held.iter().map(|(label, _)| *label).collect();
        let open = if state.open { "open" } else { "closed" };
        write!(f, "gate `{name}` ({open}): tasks {arrived:?} arrived, {held:?} are held")
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn open(&self) {
        let mut state = self.lock();
        state.open = true;
        state.held.drain(..).for_each(|(_, visitor)| visitor.let_go());
    }

    fn accept(&self, listener: &TcpListener, key: u64) {
        while let Ok((stream, _)) = listener.accept() {
            if self.lock().stopped {
                return;
            }
            self.greet(stream, key);
        }
    }

    fn greet(&self, mut stream: TcpStream, key: u64) {
        let mut hello = [0; Hello::LENGTH];
        // A process that dies while it connects must not block the others.
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        if stream.read_exact(&mut hello).is_err() {
            return;
        }
        let hello = Hello::from_bytes(&hello);
        if hello.key == key {
            self.receive(hello, Visitor::Connected(stream));
        }
    }

    /// Removes the held tasks that no longer exist.
    fn remove_gone(&self) {
        let mut state = self.lock();
        let State { held, gone, .. } = &mut *state;
        held.retain_mut(|(label, visitor)| {
            let is_gone = visitor.is_gone();
            if is_gone {
                gone.insert(*label);
            }
            !is_gone
        });
    }
}

impl Entrance for Shared {
    fn receive(&self, hello: Hello, visitor: Visitor) {
        let mut state = self.lock();
        state.arrivals.push(Arrival { label: hello.label, worker: (hello.process, hello.thread) });
        if hello.waits && !state.open {
            state.held.push((hello.label, visitor));
            state.most_held = state.most_held.max(state.held.len());
        } else {
            visitor.let_go();
        }
        drop(state);
        self.changed.notify_all();
    }

    fn note_gone(&self) {
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gate() -> Gate {
        Gate::new("test", Duration::from_secs(30))
    }

    #[test]
    fn a_closed_gate_holds_a_task_until_it_is_released() {
        let gate = gate();
        let ticket = gate.ticket(7);
        let task = thread::spawn(move || ticket.pass());
        gate.wait_for_label(7);
        assert!(!task.is_finished());
        gate.release(7);
        assert_eq!(task.join().expect("the task ends"), 7);
        assert_eq!(gate.most_held(), 1);
    }

    #[test]
    fn a_report_is_recorded_before_it_returns() {
        let gate = gate();
        for label in 0..20 {
            gate.ticket(label).report();
            assert_eq!(gate.labels().last(), Some(&label));
        }
    }

    #[test]
    fn a_dropped_gate_holds_no_task() {
        let gate = gate();
        let ticket = gate.ticket(1);
        let task = thread::spawn(move || ticket.pass());
        gate.wait_for_label(1);
        drop(gate);
        task.join().expect("the task ends");
        assert_eq!(ticket.pass(), 1);
    }

    #[test]
    fn a_held_task_that_dies_is_detected() {
        let gate = gate();
        let ticket = gate.ticket(3);
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, ticket.port)).expect("the gate listens");
        let hello = Hello { key: ticket.key, label: 3, process: 0, thread: 0, waits: true };
        stream.write_all(&hello.to_bytes()).expect("the gate reads");
        gate.wait_for_label(3);
        drop(stream);
        gate.wait_gone(3);
    }

    #[test]
    #[should_panic(expected = "waited 1ms for 1 tasks to arrive: gate `late` (closed): tasks [] arrived, [] are held")]
    fn a_wait_that_times_out_reports_the_state_of_the_gate() {
        Gate::new("late", Duration::from_millis(1)).wait_arrivals(1);
    }
}
