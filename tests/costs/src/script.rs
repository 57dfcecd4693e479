//! The counted work: many small tasks on a pool of one worker, in parts that do not overlap.
//!
//! The worker waits while the tasks are submitted, runs them all, and waits again. In a thread pool, each part is
//! counted while no other thread runs. A worker process and its parent run at the same time, and each counts its part.
//! Operations on shared objects are counted in a process that has no others.

use std::{error::Error as StdError, ffi::CStr, hint::black_box};

use concurrent_futures::{
    Backend, Executor as _, Future, ProcessPoolExecutor, ThreadPoolExecutor,
    multiprocessing::{Lock, Queue},
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::{Figure, Kind, callgrind, pipe::NamedPipe};
use crate::heap::Allocated;

/// The number of counted tasks. It is so high that work that is done once for all of them has no effect.
pub(super) const TASKS: u64 = 4000;

/// The number of tasks before them, so that work that a pool does only once is not counted.
const WARM: u64 = 500;

/// Whose cost is counted: tasks of a pool, or operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Tasks of one worker thread.
    Threads,
    /// Tasks of one worker process.
    Processes,
    /// Tasks of one worker process, with a handle in the argument.
    Handles,
    /// Operations on objects that processes share.
    Objects,
}

/// The parts of the life of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// Until `submit` returns.
    Submit,
    /// In the worker, from the end of the previous task to the end of this one.
    Run,
    /// `result` of a task that is done.
    Result,
    /// In the parent of a worker process: sending the task, reading its reply, and `result`.
    Parent,
    /// Putting an item into a queue.
    Put,
    /// Getting an item from a queue.
    Get,
    /// Taking and releasing a lock.
    Lock,
}

impl Subject {
    pub(super) const ALL: [Subject; 4] = [Subject::Threads, Subject::Processes, Subject::Handles, Subject::Objects];

    /// Returns its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Subject::Threads => "threads",
            Subject::Processes => "processes",
            Subject::Handles => "processes with a handle",
            Subject::Objects => "objects",
        }
    }

    /// Returns the subject with this name.
    pub fn named(name: &str) -> Option<Subject> {
        Subject::ALL.into_iter().find(|subject| subject.name() == name)
    }

    /// Returns `true` if a task runs in another process than the one that submits it.
    pub(super) fn has_two_processes(self) -> bool {
        matches!(self, Subject::Processes | Subject::Handles)
    }
}

impl Phase {
    pub(super) const ALL: [Phase; 7] =
        [Phase::Submit, Phase::Run, Phase::Result, Phase::Parent, Phase::Put, Phase::Get, Phase::Lock];

    /// Returns its name in the report.
    pub fn name(self) -> &'static str {
        self.label().to_str().unwrap_or_default()
    }

    /// Returns the part with this name.
    pub fn named(name: &str) -> Option<Phase> {
        Phase::ALL.into_iter().find(|phase| phase.name() == name)
    }

    fn label(self) -> &'static CStr {
        match self {
            Phase::Submit => c"submit",
            Phase::Run => c"run",
            Phase::Result => c"result",
            Phase::Parent => c"parent",
            Phase::Put => c"put",
            Phase::Get => c"get",
            Phase::Lock => c"lock",
        }
    }

    /// Returns `true` if the subject has this part.
    pub(super) fn is_of(self, subject: Subject) -> bool {
        match self {
            Phase::Submit | Phase::Run => subject != Subject::Objects,
            Phase::Result => subject == Subject::Threads,
            // Of all figures it depends most on the load, so there is one.
            Phase::Parent => subject == Subject::Processes,
            Phase::Put | Phase::Get | Phase::Lock => subject == Subject::Objects,
        }
    }
}

/// A part that is being counted.
#[derive(Clone, Copy)]
struct Counting {
    phase: Phase,
    /// Whether instructions are counted too.
    with_instructions: bool,
    before: Allocated,
}

impl Counting {
    fn start(phase: Phase, chosen: Option<Phase>) -> Counting {
        let counting = Counting { phase, with_instructions: chosen == Some(phase), before: Allocated::now() };
        if counting.with_instructions {
            callgrind::start();
        }
        counting
    }

    fn stop(self) -> Allocated {
        if self.with_instructions {
            callgrind::stop(self.phase.label());
        }
        Allocated::now() - self.before
    }
}

/// The part that is being counted, in a worker.
static COUNTING: Mutex<Option<Counting>> = Mutex::new(None);

/// The task before the counted ones. It keeps the worker busy until they are all submitted.
fn begin((held, go_on, chosen): (NamedPipe, NamedPipe, Option<Phase>)) -> Result<(), String> {
    held.signal().map_err(|error| error.to_string())?;
    go_on.wait().map_err(|error| error.to_string())?;
    *COUNTING.lock() = Some(Counting::start(Phase::Run, chosen));
    Ok(())
}

/// The task after the counted ones. It signals that they ran, and keeps the worker busy until their results are read.
fn end((ended, go_on): (NamedPipe, NamedPipe)) -> Result<Allocated, String> {
    let counting = COUNTING.lock().take().ok_or("nothing has begun")?;
    let allocated = counting.stop();
    ended.signal().map_err(|error| error.to_string())?;
    go_on.wait().map_err(|error| error.to_string())?;
    Ok(allocated)
}

/// A task that is counted.
fn step(number: u64) -> u64 {
    black_box(number) + 1
}

/// The same with a handle, which it does not use.
fn step_with_handle((_, number): (Lock, u64)) -> u64 {
    step(number)
}

/// Runs the script and prints the allocations. Under callgrind it counts the instructions of the chosen part.
///
/// # Errors
///
/// If the pool, an object or a pipe fails.
pub fn play(subject: Subject, chosen: Option<Phase>) -> Result<(), Box<dyn StdError>> {
    match subject {
        Subject::Threads => play_tasks(subject, &ThreadPoolExecutor::new(1)?, chosen),
        Subject::Processes | Subject::Handles => play_tasks(subject, &ProcessPoolExecutor::new(1)?, chosen),
        Subject::Objects => play_operations(chosen),
    }
}

fn play_tasks(subject: Subject, executor: &dyn Backend, chosen: Option<Phase>) -> Result<(), Box<dyn StdError>> {
    let directory = tempfile::tempdir()?;
    let pipe = |name: &str| NamedPipe::new(directory.path(), name);
    let lock = if subject == Subject::Handles { Some(Lock::new()?) } else { None };
    let mut futures: Vec<Future<u64>> = Vec::with_capacity(TASKS as usize);
    submit(executor, lock.as_ref(), WARM, &mut futures)?;
    read(&mut futures)?;

    let (held, run) = (pipe("held")?, pipe("run")?);
    let beginning = executor.submit(begin, (held.clone(), run.clone(), chosen))?;
    held.wait()?;

    let counting = Counting::start(Phase::Submit, chosen);
    submit(executor, lock.as_ref(), TASKS, &mut futures)?;
    print(subject, Phase::Submit, counting.stop());

    let (ended, leave) = (pipe("ended")?, pipe("leave")?);
    let ending = executor.submit(end, (ended.clone(), leave.clone()))?;
    if subject.has_two_processes() {
        let counting = Counting::start(Phase::Parent, chosen);
        run.signal()?;
        read(&mut futures)?;
        print(subject, Phase::Parent, counting.stop());
        ended.wait()?;
    } else {
        run.signal()?;
        ended.wait()?;
        let counting = Counting::start(Phase::Result, chosen);
        read(&mut futures)?;
        print(subject, Phase::Result, counting.stop());
    }
    leave.signal()?;
    beginning.result(None)??;
    print(subject, Phase::Run, ending.result(None)??);
    Ok(())
}

/// Does something so many times.
type Operation<'a> = &'a dyn Fn(u64) -> Result<(), concurrent_futures::Error>;

fn play_operations(chosen: Option<Phase>) -> Result<(), Box<dyn StdError>> {
    let (queue, lock) = (Queue::<u64>::unbounded()?, Lock::new()?);
    let put = |count| (0..count).try_for_each(|number| queue.put(number));
    let get = |count| (0..count).try_for_each(|_| queue.get(None).map(drop));
    let take = |count| (0..count).try_for_each(|_| lock.lock().map(drop));
    let operations: [(Phase, Operation<'_>); 3] = [(Phase::Put, &put), (Phase::Get, &get), (Phase::Lock, &take)];
    for (_, operation) in operations {
        operation(WARM)?;
    }
    for (phase, operation) in operations {
        let counting = Counting::start(phase, chosen);
        operation(TASKS)?;
        print(Subject::Objects, phase, counting.stop());
    }
    Ok(())
}

fn submit(
    executor: &dyn Backend,
    handle: Option<&Lock>,
    tasks: u64,
    futures: &mut Vec<Future<u64>>,
) -> Result<(), concurrent_futures::Error> {
    for number in 0..tasks {
        futures.push(match handle {
            None => executor.submit(step, number)?,
            Some(lock) => executor.submit(step_with_handle, (lock.clone(), number))?,
        });
    }
    Ok(())
}

fn read(futures: &mut Vec<Future<u64>>) -> Result<(), Box<dyn StdError>> {
    for (number, future) in futures.drain(..).enumerate() {
        if future.result(None)? != number as u64 + 1 {
            return Err("a task has returned the result of another".into());
        }
    }
    Ok(())
}

fn print(subject: Subject, phase: Phase, allocated: Allocated) {
    for figure in Figure::all().filter(|figure| (figure.subject, figure.phase) == (subject, phase)) {
        let count = match figure.kind {
            Kind::Instructions => continue,
            Kind::Allocations => allocated.calls as f64,
            Kind::Bytes => allocated.bytes as f64,
            Kind::Held => allocated.held(),
        };
        println!("{figure} = {}", count / TASKS as f64);
    }
}

/// Parses a line that [`play`] has printed.
pub(super) fn read_line(subject: Subject, line: &str) -> Option<(Figure, f64)> {
    let (name, count) = line.split_once(" = ")?;
    let figure = Figure::all().find(|figure| figure.subject == subject && figure.to_string() == name)?;
    Some((figure, count.parse().ok()?))
}
