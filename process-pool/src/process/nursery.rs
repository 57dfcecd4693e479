//! The thread that manages all processes of this program, and their start.
//!
//! A [`Process`](super::Process) is a pool of its own with one worker and one task. What a pool's supervisor does for
//! its workers is done for it by a supervisor as well: sending the function, reading its outcome, reaping the process.
//! But a program may have many processes, so they share one poller, one thread that runs all their supervisors one
//! after the other, and one thread for callbacks. These are made for the first process, and stay.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::{
        Arc, OnceLock,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    thread::{self, ThreadId},
    time::{Duration, Instant},
};

use executor_core::{Error, ErrorKind, fork};
use parking_lot::Mutex;

use super::{
    ProcessInfo,
    ending::{Ending, Sentinel},
};
use crate::{
    callbacks::CallbackThread,
    pool::{Called, Limits, Pool, SlotId, Wake},
    start::{self, spawn::Blueprint},
    supervisor::{OwnProcess, Source, Step, Supervisor},
    sys::{
        child,
        executable::Executable,
        poller::{Events, Poller},
        signals,
    },
    telemetry::Telemetry,
};

/// The name of the threads.
const NAME: &str = "Processes";

/// See the [module](self).
pub(super) struct Nursery {
    /// The file that processes run.
    pub(super) executable: Arc<Executable>,
    poller: Arc<Poller>,
    called: Arc<Called>,
    callbacks: CallbackThread,
    thread: OnceLock<ThreadId>,
    children: Mutex<Children>,
    /// Whether the thread has panicked, which is an error in this crate.
    is_broken: AtomicBool,
}

/// The processes that have not ended, by their places.
#[derive(Default)]
struct Children {
    by_place: BTreeMap<usize, Arc<Entry>>,
    last_place: usize,
}

/// A process that has not ended.
struct Entry {
    /// It is locked by the thread that starts the process, and then only by the nursery's own.
    supervisor: Mutex<Supervisor>,
    pool: Arc<Pool>,
    ending: Arc<Ending>,
    started: OnceLock<Started>,
}

/// A process that was started.
#[derive(Clone, Debug)]
pub(super) struct Started {
    pub(super) info: ProcessInfo,
    pub(super) process: child::Process,
    pub(super) sentinel: Arc<Sentinel>,
    pub(super) ending: Arc<Ending>,
    pub(super) pool: Arc<Pool>,
}

impl Started {
    /// Returns `true` if the process has not ended, whether it was reaped or not.
    pub(super) fn is_alive(&self) -> bool {
        self.ending.get().is_none() && self.process.has_ended() == Some(false)
    }
}

/// The place of a process that is about to be started.
pub(super) struct Place {
    nursery: Arc<Nursery>,
    number: usize,
    pub(super) pool: Arc<Pool>,
}

/// The generation in which this program has made its nursery.
static BORN: OnceLock<fork::Generation> = OnceLock::new();

static NURSERY: Mutex<Option<Arc<Nursery>>> = Mutex::new(None);

impl Nursery {
    /// Returns the nursery of this program, which the first call makes.
    pub(super) fn get() -> Result<Arc<Nursery>, Error> {
        if BORN.get_or_init(fork::generation).check().is_err() {
            return Err(Error::new(
                ErrorKind::Broken,
                "a process cannot be spawned here: this process is a forked copy of a program that has spawned some, and \
                 a fork does not copy the thread that manages them; execute a new program in the copy, and spawn there",
            ));
        }
        let mut nursery = NURSERY.lock();
        let found = match &*nursery {
            Some(found) => found.clone(),
            None => nursery.insert(Nursery::make()?).clone(),
        };
        // ORDERING: this only saves the start of a process. `Place::start` decides.
        if found.is_broken.load(Relaxed) { Err(broken()) } else { Ok(found) }
    }

    fn make() -> Result<Arc<Nursery>, Error> {
        let cannot = |what: &str, cause: &io::Error| {
            let message = format!("no process can be spawned: {what}: {cause}{}", start::advice(cause));
            Error::new(ErrorKind::Other, message)
        };
        let executable =
            Executable::find(start::program::image()).map_err(|cause| cannot("its program was not found", &cause))?;
        let poller = Poller::new().map_err(|cause| cannot("no descriptor to wait with", &cause))?;
        let nursery = Arc::new(Nursery {
            executable: Arc::new(executable),
            poller: Arc::new(poller),
            called: Arc::default(),
            callbacks: CallbackThread::new(NAME),
            thread: OnceLock::new(),
            children: Mutex::default(),
            is_broken: AtomicBool::new(false),
        });
        let thread = thread::Builder::new().name(format!("{NAME}-supervisor"));
        let supervised = nursery.clone();
        let thread = signals::with_all_blocked(|| thread.spawn(move || supervised.run()));
        let thread = thread.map_err(|cause| cannot("no thread to manage it", &cause))?;
        let _ = nursery.thread.set(thread.thread().id());
        Ok(nursery)
    }

    /// Makes the pool of a process that is about to be started.
    pub(super) fn reserve(self: Arc<Self>, name: &str) -> Place {
        let mut children = self.children.lock();
        // A place is free once the process that had it is gone, and a program has far fewer processes than places.
        const PLACES: usize = 1 << 24;
        let mut number = children.last_place;
        loop {
            number = (number + 1) % PLACES;
            if !children.by_place.contains_key(&number) {
                break;
            }
        }
        children.last_place = number;
        drop(children);
        let wake = Wake::one_of_many(self.poller.clone(), self.called.clone(), number);
        let pool =
            Pool::with(name.to_string(), Limits::default(), 1, wake, self.callbacks.clone(), Telemetry::default());
        if let Some(thread) = self.thread.get() {
            pool.set_supervisor_id(*thread);
        }
        Place { nursery: self, number, pool }
    }

    /// Returns the processes that have not ended, in no special order.
    pub(super) fn alive() -> Vec<Started> {
        let is_forked = BORN.get().is_none_or(|born| born.check().is_err());
        let Some(nursery) = (if is_forked { None } else { NURSERY.lock().clone() }) else { return Vec::new() };
        let children: Vec<Arc<Entry>> = nursery.children.lock().by_place.values().cloned().collect();
        let started = children.iter().filter_map(|entry| entry.started.get());
        started.filter(|started| started.is_alive()).cloned().collect()
    }

    fn find(&self, place: usize) -> Option<Arc<Entry>> {
        self.children.lock().by_place.get(&place).cloned()
    }

    fn remove(&self, place: usize) {
        let removed = self.children.lock().by_place.remove(&place);
        drop(removed);
    }

    fn run(&self) {
        let _guard = Guard(self);
        let mut events = Events::new();
        // When each process must be handled, even if nothing happens.
        let mut due: HashMap<usize, Instant> = HashMap::new();
        let clock = Clock::start();
        let mut callbacks_are_due = None;
        loop {
            let next = due.values().chain(&callbacks_are_due).min();
            let timeout = next.map(|next| next.saturating_duration_since(Instant::now()));
            if self.poller.wait(&mut events, timeout).is_err() {
                // No argument can be wrong here, so this is a temporary lack of resources.
                thread::yield_now();
            }
            let mut to_handle: BTreeMap<usize, Vec<Source>> = BTreeMap::new();
            for (place, source) in events.iter().filter_map(|event| Source::of(event.key)) {
                to_handle.entry(place).or_default().push(source);
            }
            events.clear();
            let now = Instant::now();
            let is_due = due.iter().filter(|(_, at)| **at <= now).map(|(place, _)| *place);
            for place in self.called.take().into_iter().chain(is_due) {
                to_handle.entry(place).or_default();
            }
            for (place, happened) in to_handle {
                let was_due = due.remove(&place);
                let Some(entry) = self.find(place) else { continue };
                match entry.supervisor.lock().step(&happened, was_due) {
                    Step::Wait(at) => due.extend(at.map(|at| (place, clock.round(at)))),
                    Step::Over => self.remove(place),
                }
            }
            // The thread for callbacks could not be started if this fails. The process that they belong to may be gone
            // by now, so this thread tries again.
            callbacks_are_due = (!self.callbacks.retry()).then(|| Instant::now() + Clock::TICK);
        }
    }
}

/// The clock of the nursery. Each process is looked at once a second while it runs. The clock makes that happen
/// together, so that a program with many processes that sleep does not wake up for each.
struct Clock(Instant);

impl Clock {
    const TICK: Duration = Duration::from_millis(250);

    fn start() -> Clock {
        Clock(Instant::now())
    }

    /// Returns the next tick at or after a time that is most of a second away, and any other time as it is.
    fn round(&self, at: Instant) -> Instant {
        const FAR: Duration = Duration::from_millis(750);
        if at.saturating_duration_since(Instant::now()) < FAR {
            return at;
        }
        let since = at.saturating_duration_since(self.0).as_nanos();
        let rest = (since % Clock::TICK.as_nanos()) as u64;
        let missing = Clock::TICK - Duration::from_nanos(rest);
        at.checked_add(missing).unwrap_or(at)
    }
}

impl Place {
    /// Starts the process. Its pool has its task by now.
    pub(super) fn start(self, blueprint: Blueprint, name: &str, task: &str) -> Result<Started, Error> {
        let Place { nursery, number, pool } = self;
        pool.serve_one_process();
        let ending = Arc::<Ending>::default();
        let is_daemon = blueprint.role.is_daemon();
        let own = OwnProcess { task: task.to_string(), ending: ending.clone() };
        let supervisor = Mutex::new(Supervisor::of_process(pool.clone(), blueprint, own, number));
        let entry =
            Arc::new(Entry { supervisor, pool: pool.clone(), ending: ending.clone(), started: OnceLock::new() });
        let mut supervisor = entry.supervisor.lock();
        nursery.children.lock().by_place.insert(number, entry.clone());
        let started = supervisor.start(SlotId::FIRST).map_err(|cause| refused(name, &cause));
        // The thread cannot have reaped the process, because the supervisor is locked.
        let process = pool.state.lock().worker(SlotId::FIRST).and_then(|worker| worker.process().cloned());
        // ORDERING: pairs with the Release in `Guard`, which then takes the list of processes under its lock. Either it
        // finds this one there, or this call finds the thread gone.
        let has_thread = !nursery.is_broken.load(Acquire);
        let outcome = started.and_then(|()| {
            let process = process.filter(|_| has_thread).ok_or_else(broken)?;
            let sentinel = Arc::new(Sentinel::of(&process, &ending).map_err(|cause| refused(name, &cause))?);
            let info = ProcessInfo::new(name.to_string(), process.number(), is_daemon);
            Ok(Started { info, process, sentinel, ending, pool: pool.clone() })
        });
        let started = match outcome {
            Ok(started) => started,
            Err(error) => {
                supervisor.give_up(&error);
                drop(supervisor);
                nursery.remove(number);
                return Err(error);
            }
        };
        let _ = entry.started.set(started.clone());
        drop(supervisor);
        // The thread learns of the new process.
        pool.notify();
        Ok(started)
    }
}

/// Returns the processes that this process has spawned and that have not ended.
///
/// Workers of pools are not among them; see [`worker_pids`](crate::ProcessPoolExecutor::worker_pids). Python's
/// counterpart is `multiprocessing.active_children`. Processes that have ended are reaped without this call.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_pool::*; } }
/// use concurrent_futures::multiprocessing::{Process, active_children};
///
/// let child = Process::spawn(|()| std::thread::park(), ())?;
/// assert_eq!(active_children()[0].pid(), child.pid());
/// child.kill();
/// child.join(None);
/// assert!(active_children().is_empty());
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
pub fn active_children() -> Vec<ProcessInfo> {
    Nursery::alive().into_iter().map(|started| started.info).collect()
}

/// Returns the error of a process that the system refuses to start for this reason.
pub(super) fn refused(name: &str, cause: &io::Error) -> Error {
    let message = format!("process `{name}` could not be spawned: {cause}{}", start::advice(cause));
    Error::new(ErrorKind::Other, message)
}

fn broken() -> Error {
    Error::new(
        ErrorKind::Broken,
        "no process can be spawned: the thread that manages processes has failed, which is an error in the library",
    )
}

/// Completes every future and every wait if the thread fails.
struct Guard<'a>(&'a Nursery);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // ORDERING: see `Place::start`.
        self.0.is_broken.store(true, Release);
        let children = std::mem::take(&mut self.0.children.lock().by_place);
        for entry in children.into_values() {
            entry.pool.collapse();
            entry.ending.set(None);
        }
    }
}
