//! Connections to gates that a worker opens before it runs tasks.
//!
//! A task reaches its [`Gate`](crate::Gate) by a connection of its own. Where tasks may not connect, as in a sandbox,
//! the worker opens some connections earlier, while it may, and each task uses one of them for its time at a gate. They
//! lead to the hub of the process that has the gates, which finds a gate by the key of its tickets.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    thread,
};

use serde::{Deserialize, Serialize};

use crate::{
    hello::Hello,
    visitor::{Line, Visitor},
};

/// The address of the hub of a process, to which its workers can [`connect`](HubAddress::connect).
///
/// A harness whose tasks may not open connections passes it to a function that each worker calls before it is
/// restricted, such as the initializer of a pool.
///
/// ```
/// use conformance::HubAddress;
///
/// fn before_any_task(hub: HubAddress) -> Result<(), String> {
///     hub.connect(2).map_err(|error| error.to_string())
/// }
/// let hub = HubAddress::of_this_process()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubAddress {
    port: u16,
}

impl HubAddress {
    /// Returns the address of the hub of this process, which it starts if there is none yet.
    ///
    /// # Errors
    ///
    /// Returns the error of the system if no port or no thread is left.
    pub fn of_this_process() -> io::Result<HubAddress> {
        static PORT: LazyLock<Result<u16, (io::ErrorKind, String)>> =
            LazyLock::new(|| listen().map_err(|error| (error.kind(), error.to_string())));
        match &*PORT {
            Ok(port) => Ok(HubAddress { port: *port }),
            Err((kind, text)) => Err(io::Error::new(*kind, text.clone())),
        }
    }

    /// Opens connections, through which the tasks of this process reach all gates from now on. As many tasks as there
    /// are connections can be at gates at the same time, and others wait for their turn. The first call counts.
    ///
    /// # Errors
    ///
    /// Returns the error of the system if a connection cannot be opened.
    pub fn connect(self, connections: usize) -> io::Result<()> {
        if LINES.get().is_some() {
            return Ok(());
        }
        // If another thread was faster, its connections serve, and these are closed.
        let _ = LINES.set(self.open(connections.max(1))?);
        Ok(())
    }

    fn open(self, connections: usize) -> io::Result<Lines> {
        let open = |_| {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_nodelay(true)?;
            Ok(end(stream))
        };
        let free = (0..connections).map(open).collect::<io::Result<Vec<End>>>()?;
        Ok(Lines { free: Mutex::new(free), returned: Condvar::new() })
    }
}

/// The worker's end of a connection. It is only read and written, which a process may do even if it has no right to use
/// the network.
#[cfg(unix)]
type End = std::fs::File;
#[cfg(not(unix))]
type End = TcpStream;

#[cfg(unix)]
fn end(stream: TcpStream) -> End {
    std::os::fd::OwnedFd::from(stream).into()
}

#[cfg(not(unix))]
fn end(stream: TcpStream) -> End {
    stream
}

/// The connections of this process, if it has [connected](HubAddress::connect).
static LINES: OnceLock<Lines> = OnceLock::new();

pub(crate) struct Lines {
    free: Mutex<Vec<End>>,
    returned: Condvar,
}

/// Returns the connections that this process has opened before its tasks.
pub(crate) fn lines() -> Option<&'static Lines> {
    LINES.get()
}

impl Lines {
    /// Announces a task to its gate, and waits until the gate lets it go.
    pub(crate) fn visit(&self, hello: Hello) -> io::Result<()> {
        let mut free = lock(&self.free);
        let mut end = loop {
            match free.pop() {
                Some(end) => break end,
                None => free = self.returned.wait(free).unwrap_or_else(PoisonError::into_inner),
            }
        };
        drop(free);
        let visited = end.write_all(&hello.to_bytes()).and_then(|()| end.read_exact(&mut [0]));
        lock(&self.free).push(end);
        self.returned.notify_one();
        visited
    }
}

/// A gate, as the hub knows it.
pub(crate) trait Entrance: Send + Sync {
    /// Receives a task, and keeps it or lets it go.
    fn receive(&self, hello: Hello, visitor: Visitor);
    /// Is called after a visitor has gone without being let go.
    fn note_gone(&self);
}

/// The gates of this process by their keys.
static ENTRANCES: Mutex<Option<HashMap<u64, Weak<dyn Entrance>>>> = Mutex::new(None);

/// Makes the hub find a gate.
pub(crate) fn add(key: u64, gate: Weak<dyn Entrance>) {
    lock(&ENTRANCES).get_or_insert_default().insert(key, gate);
}

/// Makes the hub let tasks go that come to this gate from now on.
pub(crate) fn remove(key: u64) {
    lock(&ENTRANCES).get_or_insert_default().remove(&key);
}

fn find(key: u64) -> Option<Arc<dyn Entrance>> {
    lock(&ENTRANCES).as_ref()?.get(&key)?.upgrade()
}

/// Starts the hub, and returns its port.
fn listen() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    thread::Builder::new().name("gate-hub".into()).spawn(move || {
        for stream in listener.incoming().flatten() {
            // Without a thread the stream is dropped, and the task fails because it cannot reach its gate.
            let _ = thread::Builder::new().name("gate-line".into()).spawn(move || serve(stream));
        }
    })?;
    Ok(port)
}

/// Receives one task after the other from a connection, until its worker ends.
fn serve(stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let line = Arc::new(Line::new(stream));
    let mut last = None;
    while let Some(hello) = line.next() {
        match find(hello.key) {
            Some(gate) => {
                gate.receive(hello, Visitor::OnLine(Arc::clone(&line)));
                last = Some(Arc::downgrade(&gate));
            }
            None => line.let_go(),
        }
    }
    line.note_gone();
    if let Some(gate) = last.and_then(|gate| gate.upgrade()) {
        gate.note_gone();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Gate, Ticket};

    fn gate() -> Gate {
        Gate::new("test", Duration::from_secs(30))
    }

    fn lines(connections: usize) -> Lines {
        HubAddress::of_this_process().and_then(|hub| hub.open(connections)).expect("the hub of this process listens")
    }

    fn hello(ticket: Ticket) -> Hello {
        Hello { key: ticket.key, label: ticket.label, process: 1, thread: 1, waits: true }
    }

    #[test]
    fn tasks_use_one_connection_one_after_the_other_at_several_gates() {
        let (lines, gates) = (lines(1), [gate(), gate()]);
        thread::scope(|scope| {
            for gate in &gates {
                let visit = scope.spawn(|| lines.visit(hello(gate.ticket(7))));
                gate.wait_for_label(7);
                assert!(!visit.is_finished());
                gate.release(7);
                visit.join().expect("no panic").expect("it was let go");
            }
        });
        assert_eq!(gates.each_ref().map(Gate::most_held), [1, 1]);
    }

    #[test]
    fn a_task_that_finds_all_connections_in_use_waits() {
        let (lines, gate) = (lines(1), gate());
        let hellos = [1, 2].map(|label| hello(gate.ticket(label)));
        thread::scope(|scope| {
            let visits = hellos.each_ref().map(|hello| scope.spawn(|| lines.visit(*hello)));
            let first = gate.wait_arrivals(1)[0].label;
            gate.release(first);
            gate.wait_for_label(3 - first);
            gate.open();
            for visit in visits {
                visit.join().expect("no panic").expect("it was let go");
            }
        });
        assert_eq!(gate.most_held(), 1);
    }

    #[test]
    fn a_worker_that_ends_at_a_gate_is_detected() {
        let (lines, gate) = (lines(1), gate());
        let mut end = lock(&lines.free).pop().expect("one connection");
        end.write_all(&hello(gate.ticket(3)).to_bytes()).expect("the hub reads");
        gate.wait_for_label(3);
        drop(end);
        gate.wait_gone(3);
    }

    #[test]
    fn a_gate_that_is_gone_holds_nothing() {
        let (lines, gate) = (lines(1), gate());
        let ticket = gate.ticket(1);
        drop(gate);
        lines.visit(hello(ticket)).expect("it is let go");
    }
}
