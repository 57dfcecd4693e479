//! The descendants of a task end with its worker, in any process group and session, and however the pool ends.

use std::{
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use executor_core::{ErrorKind, Executor, MapOptions, Shutdown, TaskOptions};
use process_pool::{ProcessPoolExecutor, Transport};

use crate::support::{
    DEADLINE, SharedDir, add_line, builder, get, is_alive, never_ends, on_both, pool, wait_for_file, wait_until,
};

/// Starts four processes and notes them: a child in a process group of its own, a child in a session of its own, and
/// two orphans, one of which is in a session of its own.
// They end with the worker, which does not wait for them.
#[allow(clippy::zombie_processes)]
pub fn starts_a_family(path: &str) {
    let sleeps = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    add_line(path, sleeps("sleep", &["1000"]).process_group(0).spawn().expect("starts").id());
    // The process makes its session after it was started.
    add_line(path, sleeps("setsid", &["sleep", "1000"]).spawn().expect("starts").id());
    let script = "setsid sleep 1000 & echo $! >> \"$0\"; sleep 1000 & echo $! >> \"$0\"";
    let shell = sleeps("sh", &["-c", script, path]).process_group(0).status().expect("starts");
    assert!(shell.success());
}

const FAMILY: usize = 4;

/// Starts them and never ends.
fn never_ends_with_a_family(path: String) {
    starts_a_family(&path);
    never_ends(format!("{path} runs"));
}

fn leaves_a_family(path: String) -> u32 {
    starts_a_family(&path);
    std::process::id()
}

/// Checks that all four processes end when `end` is called, and none before.
fn ends_with(dir: &SharedDir, end: impl FnOnce()) {
    let family = dir.numbers("family");
    assert_eq!(family.len(), FAMILY);
    assert!(family.iter().all(|pid| is_alive(*pid)), "one has ended before its time");
    end();
    wait_until("the end of all", || !family.iter().any(|pid| is_alive(*pid)));
}

fn runs(pool: &ProcessPoolExecutor, dir: &SharedDir, options: TaskOptions) -> executor_core::Future<()> {
    let path = dir.path("family");
    let future = pool.submit_with(options, never_ends_with_a_family, path.clone()).unwrap();
    wait_for_file(&format!("{path} runs"));
    future
}

#[test]
fn a_time_limit_ends_the_descendants_of_its_task() {
    on_both(|transport| {
        let (dir, pool) = (SharedDir::new(), pool(transport, 1));
        let task = runs(&pool, &dir, TaskOptions::new().time_limit(Duration::from_secs(2)));
        ends_with(&dir, || assert_eq!(get(&task).unwrap_err().kind(), ErrorKind::TimeLimit));
    });
}

#[test]
fn terminate_ends_the_descendants_of_its_task() {
    on_both(|transport| {
        for grace in [Duration::ZERO, Duration::from_millis(50), DEADLINE] {
            let (dir, pool) = (SharedDir::new(), pool(transport, 1));
            let task = runs(&pool, &dir, TaskOptions::new());
            ends_with(&dir, || {
                assert!(task.terminate(grace));
                assert_eq!(get(&task).unwrap_err().kind(), ErrorKind::Terminated);
            });
        }
    });
}

#[test]
fn a_terminated_pool_ends_the_descendants_of_its_tasks() {
    on_both(|transport| {
        for grace in [Duration::ZERO, Duration::from_millis(50)] {
            let (dir, pool) = (SharedDir::new(), pool(transport, 1));
            let _task = runs(&pool, &dir, TaskOptions::new());
            ends_with(&dir, || pool.shutdown(Shutdown::Terminate { grace }));
        }
    });
}

#[test]
fn a_descendant_that_leaves_the_group_when_it_is_asked_to_end_ends_with_its_worker() {
    // The shell gets the signal to the group, and makes a session of its own. Its number stays the same.
    #[allow(clippy::zombie_processes)]
    fn never_ends_with_a_shell(path: String) {
        let script = "trap 'exec setsid sleep 1000' TERM; echo $$ >> \"$0\"; while :; do sleep 1000; done";
        let mut shell = Command::new("sh");
        shell.args(["-c", script, &path]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        shell.spawn().expect("starts");
        never_ends(format!("{path} runs"));
    }
    on_both(|transport| {
        let (dir, pool) = (SharedDir::new(), pool(transport, 1));
        let task = pool.submit(never_ends_with_a_shell, dir.path("family")).unwrap();
        wait_until("the shell", || dir.lines("family").len() == 1);
        let shell = dir.numbers("family")[0];
        assert!(task.terminate(DEADLINE));
        assert_eq!(get(&task).unwrap_err().kind(), ErrorKind::Terminated);
        wait_until("the end of the shell", || !is_alive(shell));
    });
}

#[test]
fn a_dropped_pool_ends_the_descendants_of_its_tasks() {
    on_both(|transport| {
        let (dir, pool) = (SharedDir::new(), pool(transport, 1));
        get(&pool.submit(leaves_a_family, dir.path("family")).unwrap()).unwrap();
        ends_with(&dir, || drop(pool));
    });
}

#[test]
fn a_worker_at_its_task_limit_ends_the_descendants_of_its_tasks() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let pool = builder(transport, 1).max_tasks_per_worker(2).build().unwrap();
        let first = get(&pool.submit(leaves_a_family, dir.path("family")).unwrap()).unwrap();
        ends_with(&dir, || {
            assert_eq!(get(&pool.submit(|()| std::process::id(), ()).unwrap()).unwrap(), first);
            assert_ne!(get(&pool.submit(|()| std::process::id(), ()).unwrap()).unwrap(), first);
        });
    });
}

#[test]
fn an_exit_of_a_task_ends_its_descendants() {
    fn exits((path, code): (String, i32)) {
        starts_a_family(&path);
        wait_for_file(&format!("{path} go"));
        std::process::exit(code)
    }
    on_both(|transport| {
        let (dir, pool) = (SharedDir::new(), pool(transport, 1));
        let task = pool.submit(exits, (dir.path("family"), 7)).unwrap();
        wait_until("the family", || dir.lines("family").len() == FAMILY);
        ends_with(&dir, || {
            dir.touch("family go");
            assert_eq!(get(&task).unwrap_err().worker_death().and_then(|death| death.exit_code()), Some(7));
        });
    });
}

#[test]
fn an_exit_of_a_forked_worker_ends_no_descendant_of_the_worker() {
    #[allow(unsafe_code)]
    fn forks(path: String) -> bool {
        starts_a_family(&path);
        // SAFETY: the copy exits with all exit handlers, as some programs do.
        let copy = unsafe { libc::fork() };
        if copy == 0 {
            // SAFETY: as above.
            unsafe { libc::exit(0) };
        }
        // SAFETY: no status is asked for.
        assert_eq!(unsafe { libc::waitpid(copy, std::ptr::null_mut(), 0) }, copy);
        std::fs::read_to_string(path).unwrap().lines().all(|line| is_alive(line.parse().unwrap()))
    }
    on_both(|transport| {
        let (dir, pool) = (SharedDir::new(), pool(transport, 1));
        assert!(get(&pool.submit(forks, dir.path("family")).unwrap()).unwrap());
        ends_with(&dir, || drop(pool));
    });
}

/// Returns the number of zombies among the children of this process.
fn zombies() -> usize {
    crate::support::children().into_iter().filter(|pid| !is_alive(*pid)).count()
}

#[test]
fn a_worker_reaps_the_processes_it_has_adopted() {
    fn leaves_a_zombie(_: u32) -> usize {
        let shell = Command::new("sh").args(["-c", "true & exit 0"]).status().unwrap();
        assert!(shell.success());
        zombies()
    }
    let pool = pool(Transport::Ring, 1);
    let counts: Vec<usize> =
        pool.map_with(MapOptions::new().chunksize(1), leaves_a_zombie, 0..300).unwrap().map(Result::unwrap).collect();
    assert!(counts.iter().max() > Some(&100), "they are not waited for each time: {counts:?}");
    assert!(counts.last() < Some(&150), "{counts:?}");
}

#[test]
fn a_task_can_wait_for_a_child_of_an_earlier_task_that_ended_long_ago() {
    static CHILD: Mutex<Option<Child>> = Mutex::new(None);
    fn starts(code: u32) {
        *CHILD.lock().unwrap() = Some(Command::new("sh").args(["-c", &format!("exit {code}")]).spawn().unwrap());
        wait_until("its end", || zombies() == 1);
    }
    fn waits(_: u32) -> Option<i32> {
        CHILD.lock().unwrap().take()?.wait().unwrap().code()
    }
    let pool = pool(Transport::Ring, 1);
    get(&pool.submit(starts, 9).unwrap()).unwrap();
    for n in 0..1000 {
        assert_eq!(get(&pool.submit(|n: u32| n, n).unwrap()).unwrap(), n);
    }
    assert_eq!(get(&pool.submit(waits, 0).unwrap()).unwrap(), Some(9));
}

/// Returns the control groups of the pools of a program, and `None` if it cannot make any.
fn control_groups(program: u32) -> Option<Vec<String>> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mount = mounts.lines().find(|line| line.contains(" - cgroup2 "))?.split(' ').nth(4)?;
    let own = std::path::Path::new(mount).join(own);
    let probe = own.join(format!("process-pool-test-{}", std::process::id()));
    let can_kill = std::fs::create_dir(&probe).is_ok() && probe.join("cgroup.kill").exists();
    let _ = std::fs::remove_dir(&probe);
    let found = std::fs::read_dir(own).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let prefix = format!("concurrent-futures-{program}-");
    can_kill.then(|| found.filter(|name| name.starts_with(&prefix)).collect())
}

fn skips() -> bool {
    let cannot = control_groups(0).is_none();
    if cannot {
        println!("skipped: this needs write access to a control group of version 2 with `cgroup.kill` (Linux 5.14)");
    }
    cannot
}

/// Runs as a program of its own, so that no other test has a pool in its control group.
pub fn crashes_in_control_groups() {
    fn crashes((path, way): (String, u32)) {
        starts_a_family(&path);
        wait_for_file(&format!("{path} go"));
        #[allow(unsafe_code)]
        match way {
            0 => std::process::abort(),
            // SAFETY: it ends this process.
            1 => unsafe { libc::_exit(5) },
            _ => crate::support::kill(std::process::id(), libc::SIGKILL),
        }
    }
    for transport in [Transport::Ring, Transport::Socket] {
        let pool = builder(transport, 2).control_group(true).build().unwrap();
        for way in 0..3 {
            let dir = SharedDir::new();
            let task = pool.submit(crashes, (dir.path("family"), way)).unwrap();
            wait_until("the family", || dir.lines("family").len() == FAMILY);
            ends_with(&dir, || {
                dir.touch("family go");
                assert_eq!(get(&task).unwrap_err().kind(), ErrorKind::WorkerDied);
            });
        }
        assert_eq!(control_groups(std::process::id()).map(|groups| groups.len()), Some(1));
        drop(pool);
        assert_eq!(control_groups(std::process::id()), Some(Vec::new()), "a group is left");
    }
}

#[test]
fn in_a_control_group_a_crash_ends_the_descendants_of_its_task() {
    if !skips() {
        crate::programs::succeeds("crashes_in_control_groups", &[]);
    }
}

pub fn holds_a_pool_in_control_groups() {
    let path = std::env::var("FAMILY").unwrap();
    let pool = builder(Transport::Ring, 2).control_group(true).build().unwrap();
    let _task = pool.submit(never_ends_with_a_family, path).unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_program_leaves_no_control_group_and_no_process_in_it() {
    if skips() {
        return;
    }
    let dir = SharedDir::new();
    let path = dir.path("family");
    let mut program = crate::programs::start("holds_a_pool_in_control_groups", &[("FAMILY", &path)]);
    wait_for_file(&format!("{path} runs"));
    assert_eq!(control_groups(program.id()).map(|groups| groups.len()), Some(1));
    ends_with(&dir, || {
        program.kill().unwrap();
        program.wait().unwrap();
    });
    wait_until("the end of its groups", || control_groups(program.id()) == Some(Vec::new()));
}

/// Has no right to make control groups.
pub fn has_no_right_to_a_control_group() {
    #[allow(unsafe_code)]
    // SAFETY: system calls without pointers.
    unsafe {
        assert_eq!((libc::setgid(65534), libc::setuid(65534)), (0, 0));
    }
    let pool = builder(Transport::Ring, 1).control_group(true).build().unwrap();
    assert_eq!(get(&pool.submit(|n: u32| n, 5).unwrap()).unwrap(), 5);
    assert_eq!(control_groups(std::process::id()), None);
}

#[test]
#[allow(unsafe_code)]
fn a_pool_without_the_right_to_make_control_groups_works() {
    // SAFETY: a system call without pointers.
    if unsafe { libc::geteuid() } != 0 {
        println!("skipped: to give up rights takes root");
        return;
    }
    crate::programs::succeeds("has_no_right_to_a_control_group", &[]);
}
