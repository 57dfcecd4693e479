//! Processes of processes and of tasks.

use executor_core::Executor;
use process_pool::{Process, ProcessPoolExecutor, active_children, current_process, parent_process};

use crate::support::{DEADLINE, SharedDir, add_line, is_alive, never_ends, wait_until};

/// (`test_recursion`, and the names of `test_parent_process`)
#[test]
fn processes_spawn_processes_and_their_names_show_it() {
    type Names = Vec<(String, String)>;
    fn descend(depth: u32) -> Names {
        let own = (current_process().name().to_string(), parent_process().unwrap().name().to_string());
        if depth == 0 {
            return vec![own];
        }
        let children: Vec<_> = (0..2).map(|_| Process::spawn(descend, depth - 1).unwrap()).collect();
        let below = children.iter().flat_map(|child| child.result(DEADLINE).unwrap());
        std::iter::once(own).chain(below).collect()
    }
    let process = Process::builder().name("root").spawn(descend, 2).unwrap();
    let names = process.result(DEADLINE).unwrap();
    assert_eq!(names.len(), 7);
    assert_eq!(names[0], ("root".to_string(), "MainProcess".to_string()));
    // A name that was given does not change the default names below it.
    let (child, parent) = &names[1];
    assert!(parent == "root" && child.starts_with("Process-") && child.ends_with(":1"), "{names:?}");
    assert_eq!(names[2], (format!("{child}:1"), child.clone()));
    assert_eq!(names[6].0, format!("{}:2", child.replace(":1", ":2")));
}

/// (`TestStdinBadfiledescriptor.test_pool_in_process`)
#[test]
fn a_process_has_a_pool_and_a_task_has_a_process() {
    fn in_process(n: u64) -> u64 {
        let pool = ProcessPoolExecutor::new(1).unwrap();
        pool.submit(in_task, n).unwrap().result(DEADLINE).unwrap()
    }
    fn in_task(n: u64) -> u64 {
        let worker = current_process().name().to_string();
        let process = Process::spawn(|n: u64| (n * 2, current_process().name().to_string()), n).unwrap();
        assert_eq!(active_children().len(), 1);
        let (doubled, name) = process.result(DEADLINE).unwrap();
        assert_eq!(name, format!("{worker}:1"));
        doubled
    }
    let process = Process::spawn(in_process, 21).unwrap();
    assert_eq!(process.result(DEADLINE).unwrap(), 42);
    let pool = ProcessPoolExecutor::new(1).unwrap();
    assert_eq!(pool.submit(in_task, 4).unwrap().result(DEADLINE).unwrap(), 8);
}

/// A daemon may have children, unlike in Python. They end with it.
#[test]
fn children_end_with_the_daemon_that_has_spawned_them() {
    fn has_children((pids, path): (String, String)) {
        let all: Vec<_> = [false, true]
            .map(|is_daemon| {
                let child = Process::builder().daemon(is_daemon).spawn(never_ends, path.clone()).unwrap();
                add_line(&pids, child.pid());
                child
            })
            .into();
        all[0].join(None);
    }
    for end in [Process::terminate, Process::kill] {
        let dir = SharedDir::new();
        let args = (dir.path("pids"), dir.path("runs"));
        let process = Process::builder().daemon(true).spawn(has_children, args).unwrap();
        wait_until("the children", || dir.numbers("pids").len() == 2);
        end(&process);
        assert!(process.join(DEADLINE));
        for pid in dir.numbers("pids") {
            wait_until("the end of a child", || !is_alive(pid));
        }
    }
}

/// A child that its process has not waited for ends with the process.
#[test]
fn a_child_that_was_let_go_ends_with_its_process() {
    fn lets_go((pids, path): (String, String)) {
        let child = Process::spawn(never_ends, path.clone()).unwrap();
        add_line(&pids, child.pid());
        drop(child.into_future());
    }
    let dir = SharedDir::new();
    let process = Process::spawn(lets_go, (dir.path("pids"), dir.path("runs"))).unwrap();
    assert!(process.join(DEADLINE));
    assert_eq!(process.exit_code(), Some(0));
    let pid = dir.numbers("pids")[0];
    wait_until("the end of the child", || !is_alive(pid));
}
