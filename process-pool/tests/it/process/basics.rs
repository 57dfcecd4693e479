//! What a process is: its name, its number, its parent, its memory.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use executor_core::{Error, ErrorKind, task};
use process_pool::{Process, ProcessInfo, active_children, current_process, parent_process};
use serde::{Deserialize, Serialize};

use crate::support::{DEADLINE, SharedDir, never_ends, wait_for_file};

/// What a process says about itself.
fn describe(info: &ProcessInfo) -> (String, u32, bool) {
    (info.name().to_string(), info.pid(), info.is_daemon())
}

/// (`test_process`)
#[test]
fn a_function_runs_in_another_process_and_its_result_comes_back() {
    let process = Process::spawn(|n: u64| (n + 1, std::process::id()), 41).unwrap();
    assert!(process.pid() != std::process::id() && !process.is_daemon());
    assert_eq!(process.result(DEADLINE).unwrap(), (42, process.pid()));
    assert!(process.join(DEADLINE));
    assert_eq!((process.exit_code(), process.is_alive()), (Some(0), false));
    assert_eq!(process.result(DEADLINE).unwrap_err().kind(), ErrorKind::InvalidState, "the value was moved out");
}

/// (`test_args_argument`, `test_lose_target_ref`: arguments are moved, and a function has no state to keep)
#[test]
fn arguments_of_any_size_arrive() {
    for size in [0, 1, 5000, 3 << 20] {
        let process = Process::spawn(|bytes: Vec<u8>| bytes, vec![7_u8; size]).unwrap();
        assert_eq!(process.result(DEADLINE).unwrap(), vec![7; size]);
    }
}

/// (`_TestSubclassingProcess.test_subclassing`: a type with a method instead of a subclass with `run`)
#[test]
fn a_method_of_a_type_can_be_the_function() {
    #[derive(Serialize, Deserialize)]
    struct Upper {
        text: String,
    }
    impl Upper {
        fn run(self) -> String {
            self.text.to_uppercase()
        }
    }
    let process = Process::spawn(Upper::run, Upper { text: "upper".into() }).unwrap();
    assert_eq!(process.result(DEADLINE).unwrap(), "UPPER");
}

/// (`test_current`, `test_daemon_argument`, `test_parent_process_attributes`)
#[test]
fn a_process_knows_itself_and_its_parent() {
    assert_eq!((current_process().name(), parent_process()), ("MainProcess", None));
    for is_daemon in [false, true] {
        let process = Process::builder()
            .name("a name")
            .daemon(is_daemon)
            .spawn(|()| (describe(&current_process()), parent_process().map(|parent| describe(&parent))), ())
            .unwrap();
        let (own, parent) = process.result(DEADLINE).unwrap();
        assert_eq!(own, ("a name".to_string(), process.pid(), is_daemon));
        assert_eq!((process.name(), process.is_daemon()), ("a name", is_daemon));
        assert_eq!(parent, Some(("MainProcess".to_string(), std::process::id(), false)));
    }
}

#[test]
fn a_default_name_has_a_number_and_the_task_knows_it() {
    let process = Process::spawn(|()| task::current().unwrap().worker().to_string(), ()).unwrap();
    let number = process.name().strip_prefix("Process-").expect("the default").parse::<u32>();
    assert!(number.is_ok(), "{}", process.name());
    assert_eq!(process.result(DEADLINE).unwrap(), process.name());
}

/// (`test_active_children`)
#[test]
fn active_children_are_those_that_have_not_ended() {
    let dir = SharedDir::new();
    let is_active = |pid: u32| active_children().iter().any(|info| info.pid() == pid);
    let process = Process::builder().name("active").daemon(true).spawn(never_ends, dir.path("runs")).unwrap();
    wait_for_file(&dir.path("runs"));
    let info = active_children().into_iter().find(|info| info.pid() == process.pid()).expect("it is active");
    assert_eq!(describe(&info), ("active".to_string(), process.pid(), true));
    process.kill();
    process.join(None);
    assert!(!is_active(process.pid()));
    // A process that has ended is not active, whether anything has waited for it or not.
    let short = Process::spawn(|()| (), ()).unwrap();
    let pid = short.pid();
    drop(short);
    assert!(!is_active(pid));
}

#[test]
fn memory_is_not_shared() {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.store(7, Relaxed);
    let process = Process::spawn(|()| COUNT.fetch_add(1, Relaxed), ()).unwrap();
    assert_eq!(process.result(DEADLINE).unwrap(), 0, "statics have their initial values");
    assert_eq!(COUNT.load(Relaxed), 7);
}

#[test]
fn the_environment_is_that_of_this_program_and_what_was_added() {
    let read = |()| (std::env::var("ADDED").ok(), std::env::var("PATH").ok(), std::env::vars_os().count());
    let process = Process::builder().env("ADDED", "by a test").spawn(read, ()).unwrap();
    let (added, path, _) = process.result(DEADLINE).unwrap();
    assert_eq!((added.as_deref(), path), (Some("by a test"), std::env::var("PATH").ok()));
    let plain = Process::spawn(|()| std::env::var_os("CONCURRENT_FUTURES_WORKER").is_some(), ()).unwrap();
    assert!(!plain.result(DEADLINE).unwrap(), "a program that it starts is no worker");
}

/// (`test_many_processes`)
#[test]
fn many_processes_run_at_the_same_time() {
    const MANY: usize = 10;
    let dir = SharedDir::new();
    let all: Vec<_> =
        (0..MANY).map(|n| Process::builder().daemon(true).spawn(never_ends, dir.path(&n.to_string()))).collect();
    let all = all.into_iter().collect::<Result<Vec<_>, Error>>().unwrap();
    (0..MANY).for_each(|n| wait_for_file(&dir.path(&n.to_string())));
    assert!(all.iter().all(Process::is_alive));
    all.iter().for_each(Process::terminate);
    for process in &all {
        assert!(process.join(DEADLINE));
        assert_eq!(process.exit_code(), Some(-15));
    }
    let short: Vec<_> = (0..MANY).map(|n| Process::spawn(|n: usize| n * n, n).unwrap()).collect();
    let squares: Vec<usize> = short.iter().map(|process| process.result(DEADLINE).unwrap()).collect();
    assert_eq!(squares, (0..MANY).map(|n| n * n).collect::<Vec<_>>());
}

/// (`test_wait_for_threads`: a thread that is left behind does not delay the end, because it would in no Rust program)
#[test]
fn threads_that_are_left_behind_do_not_delay_the_end() {
    let process = Process::spawn(
        |()| {
            std::thread::spawn(|| {
                loop {
                    std::thread::park();
                }
            });
        },
        (),
    )
    .unwrap();
    assert!(process.join(DEADLINE));
    assert_eq!(process.exit_code(), Some(0));
}

#[test]
fn a_process_shows_what_it_is() {
    let process = Process::builder().name("shown").spawn(|()| (), ()).unwrap();
    process.join(None);
    let text = format!("{process:?}");
    assert!(text.contains("shown") && text.contains(&process.pid().to_string()) && text.contains("Some(0)"), "{text}");
}

fn is_shared<T: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>(_: &T) {}

#[test]
fn threads_share_a_process() {
    let process = Process::spawn(|()| 7_u32, ()).unwrap();
    is_shared(&process);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(process.join(DEADLINE)));
        }
    });
    assert_eq!(process.result(DEADLINE).unwrap(), 7);
}
