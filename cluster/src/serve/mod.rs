//! Running the tasks of a cluster on this machine.

mod event;
mod options;
mod signals;

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    time::{Duration, Instant, SystemTime},
};

pub use self::options::ServeOptions;
use self::{event::Event, signals::Signals};
use crate::{
    ServiceOptions,
    nats::{ConnectedAgent, Description, Engine, Names},
    rights, trace,
};
use executor_core::{
    Backend, CancellationToken, Error, ErrorKind, Executor as _, Future, Promise, Shutdown, function::BuildId, promise,
};

/// How long a task that is stopped at the end may take to stop by itself.
const GRACE: Duration = Duration::from_secs(1);

/// How long the end of an agent waits until clients have received the outcomes of the tasks that it has stopped.
const LAST: Duration = Duration::from_secs(5);

/// Runs the tasks of a cluster in worker processes, as an agent, until this process is told to end by `SIGTERM`, by
/// `SIGINT`, or by [`stop_when`](ServeOptions::stop_when). It runs tasks of clients of this very build of the program.
///
/// Then it takes no more tasks, gives back those that have not started, and returns when the others have ended and
/// their clients have received the outcomes. A second signal, or the end of
/// [`drain_timeout`](ServeOptions::drain_timeout), stops those that still run. Until it returns, these two signals do
/// nothing else.
///
/// While there is no server the agent goes on running what it has, and connects again when there is one.
///
/// Python's standard library has no counterpart; `dask worker` and `celery worker` are the nearest.
///
/// # Errors
///
/// - [`InvalidArgument`](ErrorKind::InvalidArgument): no slots, or a URL, a name or a seed that cannot be one.
/// - [`Unavailable`](ErrorKind::Unavailable): no server answers within
///   [`start_timeout`](ServeOptions::start_timeout); or one is too old, refuses the credentials, cannot be trusted, or
///   does not permit what an agent needs, now or later.
/// - [`Broken`](ErrorKind::Broken): this program cannot have worker processes, for one of the reasons of
///   [`ProcessPoolBuilder::build`](process_pool::ProcessPoolBuilder::build), has more rights than its caller, or the
///   initializer has failed.
/// - [`Other`](ErrorKind::Other): the system refuses a thread, a process or a pipe.
pub fn serve(options: ServeOptions) -> Result<(), Error> {
    rights::check()?;
    serve_here(options)
}

/// Serves in a process that may.
pub(crate) fn serve_here(mut options: ServeOptions) -> Result<(), Error> {
    if options.slots == Some(0) {
        return Err(Error::new(ErrorKind::InvalidArgument, "an agent needs at least one slot"));
    }
    Names::new(&options.pool)?;
    options.address.check()?;
    let workers = std::mem::take(&mut options.workers);
    let workers = options.slots.into_iter().fold(workers, |workers, slots| workers.max_workers(slots));
    let executor = workers.build()?;
    // An agent whose workers cannot start would fail every task that it takes.
    executor.submit(|()| (), ())?.result(None)?;
    serve_on(options, executor)
}

/// Serves with any executor, and without the options of workers. Measurements use it.
#[doc(hidden)]
pub fn serve_on(options: ServeOptions, executor: impl Backend + 'static) -> Result<(), Error> {
    let ServeOptions { address, pool, slots, drain_timeout, start_timeout, timing, stop, .. } = options;
    let executor = Arc::new(executor);
    let names = Names::new(&pool)?;
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let me = address.agent(&host)?;
    let slots = slots.unwrap_or_else(|| executor.max_workers());
    let began = Instant::now();
    let engine = Engine::connect(&address, &format!("agent {me}"), start_timeout)?;
    let description = Description {
        pid: std::process::id(),
        since: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        build: BuildId::own().to_string(),
    };
    let (sender, events) = channel();
    let _signals = Signals::listen(sender.clone())?;
    let service = ServiceOptions { slots, host, timing };
    let within = start_timeout.saturating_sub(began.elapsed()).max(LAST);
    let agent =
        ConnectedAgent::start(engine, names.clone(), me.clone(), executor.clone(), service, description, within)?;
    let _stop = stop.map(|token| watch(&token, sender.clone()));
    let refused = sender.clone();
    agent.on_refusal(&names, &me, move |error| drop(refused.send(Event::Refused(error))));
    let name = me.to_string();
    trace::Event::Serving { agent: name.clone(), pool, slots }.report();
    let refusal = match events.recv() {
        Ok(Event::Refused(error)) => Some(error),
        _ => None,
    };
    // Without a server no outcome reaches its client.
    let patience = if refusal.is_some() { Some(Duration::ZERO) } else { drain_timeout };
    agent.service().leave();
    trace::Event::Leaving { agent: name.clone(), reason: refusal.as_ref().map(Error::to_string) }.report();
    let is_idle = wait_idle(&agent, patience, sender, events);
    if !is_idle {
        executor.close(Shutdown::Terminate { grace: GRACE });
        agent.service().wait_idle(Some(LAST));
    }
    trace::Event::Left { agent: name, is_idle }.report();
    refusal.map_or(Ok(()), Err)
}

/// Sends an event when the token is cancelled, for as long as what it returns is kept.
fn watch(token: &CancellationToken, sender: Sender<Event>) -> (Promise<()>, Future<()>) {
    let (promise, future) = promise();
    token.attach(&future);
    future.add_done_callback(move |_| drop(sender.send(Event::Stop)));
    (promise, future)
}

/// Waits until the agent has nothing left, unless that takes too long or it is told to end again. Returns whether it
/// has nothing left.
fn wait_idle(
    agent: &ConnectedAgent,
    timeout: Option<Duration>,
    sender: Sender<Event>,
    events: Receiver<Event>,
) -> bool {
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if let Ok(Event::Stop | Event::Refused(_)) = events.recv() {
                agent.service().interrupt();
            }
        });
        let is_idle = agent.service().wait_idle(timeout);
        // For the other thread, unless it has ended.
        let _ = sender.send(Event::Idle);
        is_idle
    })
}
