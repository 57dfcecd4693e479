//! Processes that use one shared object and are killed at random, 20 a second.
//!
//! The processes are this program, started again. They get the object through a `Listener`, as processes do that do not
//! know each other. In the scenarios on `Namespaces`, each is process 1 of its own pid namespace, so no process can
//! name another one.

mod chunks;
mod idle;
mod locks;
mod meetings;
mod queues;
mod take_over;

pub(super) use chunks::chunks;
pub(super) use idle::idle;
pub(super) use locks::{lock, semaphore};
pub(super) use meetings::barrier;
pub(super) use queues::{growing, queue, queues};
pub(super) use take_over::take_over;

use std::{
    ffi::OsString,
    fs,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use concurrent_futures::multiprocessing::{Access, Connection, Listener, Lock};
use executor_core::Payload;
use tempfile::TempDir;
use test_support::{DEADLINE, children, children_of, open_descriptors, wait_gone};

use super::{On, Run, seconds_from_now};

/// The first argument of a process that plays a role. The next are the role and the path of the listener.
const PLAY: &str = "--play";

/// A process in a user namespace of its own is another user.
const ACCESS: Access<'static> = Access::Key(b"the objects of a load test");

const KILLS_A_SECOND: u32 = 20;

/// What a process does until it is killed, or the object is closed.
type Role = fn(&Guest);

/// The processes that play roles.
struct Guest {
    path: OsString,
}

impl Guest {
    /// Receives what the scenario passes to this role.
    fn receive<T: Payload>(&self) -> T {
        let connection = Connection::<(), T>::connect(&self.path, ACCESS).expect("the scenario listens");
        connection.recv(None).expect("the scenario sends the objects")
    }
}

/// Plays a role, if the arguments say so.
pub fn play(args: &[OsString]) -> Option<ExitCode> {
    let [play, role, path] = args else { return None };
    if play != PLAY {
        return None;
    }
    let roles = [chunks::ROLES, queues::ROLES, idle::ROLES, locks::ROLES, meetings::ROLES, take_over::ROLES].concat();
    let (_, role) = roles.into_iter().find(|(name, _)| role == name)?;
    role(&Guest { path: path.clone() });
    Some(ExitCode::SUCCESS)
}

/// Starts the processes of a scenario.
struct Stage {
    folder: TempDir,
    listener: Listener,
    in_namespaces: bool,
}

impl Stage {
    /// Returns `None` if this system lets the user have no namespaces.
    fn open(run: &mut Run) -> Option<Stage> {
        let in_namespaces = run.on == On::Namespaces;
        if in_namespaces && !unshare().arg("true").status().is_ok_and(|status| status.success()) {
            run.figure("left out:", "this user cannot make pid namespaces");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let listener = Listener::bind(folder.path().join("objects"), ACCESS).expect("a listener");
        Some(Stage { folder, listener, in_namespaces })
    }

    /// Starts a process that plays a role, and passes it the objects.
    fn start<T: Payload>(&self, role: &str, objects: &T) -> Child {
        let program = std::env::current_exe().expect("this program");
        let mut command = if self.in_namespaces {
            let mut command = unshare();
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        let path = self.folder.path().join("objects");
        command.arg(PLAY).arg(role).arg(path).stdin(Stdio::null());
        let process = command.spawn().expect("a process");
        let connection = self.listener.accept::<T, ()>().expect("it connects");
        connection.send(objects).expect("it receives");
        process
    }
}

fn unshare() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--pid", "--fork", "--kill-child"]);
    command
}

/// Kills a process, and waits until it is gone. In a namespace it is the child of a program that is killed in its
/// place, and ends a moment later.
fn end(mut process: Child) {
    let inner = children_of(process.id());
    let _ = process.kill();
    process.wait().expect("it is a child");
    wait_gone(&inner, DEADLINE);
}

/// Starts so many processes of each kind, and kills and replaces random ones until the time is over. Calls `look` in
/// between, which returns a number that grows with the work that is done. Returns the processes that are left and how
/// many of each kind were killed.
fn storm<const N: usize>(
    run: &mut Run,
    counts: [usize; N],
    start: impl Fn(usize) -> Child,
    mut look: impl FnMut() -> u64,
) -> (Vec<(usize, Child)>, [u64; N]) {
    let mut kills = [0; N];
    let mut processes: Vec<(usize, Child)> =
        (0..N).flat_map(|kind| (0..counts[kind]).map(move |_| kind)).map(|kind| (kind, start(kind))).collect();
    let begun = Instant::now();
    let end_of_storm = seconds_from_now(run.amount);
    let (mut seen, mut since, mut standstill) = (0, Instant::now(), Duration::ZERO);
    let mut next_kill = begun;
    while Instant::now() < end_of_storm {
        let now = look();
        if now != seen {
            (seen, since) = (now, Instant::now());
            run.watch.progress();
        }
        standstill = standstill.max(since.elapsed());
        if Instant::now() >= next_kill {
            next_kill += Duration::from_secs(1) * test_support::scale() / KILLS_A_SECOND;
            let (kind, victim) = processes.swap_remove(run.random.below(processes.len() as u64) as usize);
            end(victim);
            kills[kind] += 1;
            processes.push((kind, start(kind)));
        }
        thread::park_timeout(Duration::from_millis(1));
    }
    let total: u64 = kills.iter().sum();
    run.figure("kills", total);
    run.figure("kills a second", format_args!("{:.1}", total as f64 / begun.elapsed().as_secs_f64()));
    run.figure("longest standstill seen, ms", standstill.as_millis());
    (processes, kills)
}

/// What this program holds of shared objects.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    descriptors: usize,
    children: usize,
    mappings: usize,
}

impl Held {
    fn now() -> Held {
        // The first object makes what stays.
        drop(Lock::new().expect("a lock"));
        let maps = fs::read_to_string("/proc/self/maps").expect("/proc is mounted");
        let mappings = maps.lines().filter(|line| line.contains("/memfd:")).count();
        Held { descriptors: open_descriptors(), children: children().len(), mappings }
    }
}

/// Runs a scenario, and checks that nothing of it is left.
fn leaving_nothing(run: &mut Run, scenario: impl FnOnce(&mut Run, Stage)) {
    let before = Held::now();
    let Some(stage) = Stage::open(run) else { return };
    scenario(run, stage);
    assert_eq!(Held::now(), before, "something is left");
}
