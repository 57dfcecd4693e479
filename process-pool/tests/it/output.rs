//! Where the output of workers goes, and the other settings of their processes.

use std::{
    collections::BTreeMap,
    io::Write as _,
    process::Command,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use executor_core::{ErrorKind, Executor, TaskOptions};
use process_pool::{Output, OutputLine, ProcessPoolExecutor};

use crate::support::{SharedDir, builder, get, on_both, wait_until};

/// The lines that a function was given.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<OutputLine>>>);

impl Log {
    fn output(&self) -> Output {
        let log = self.clone();
        Output::lines(move |line| log.0.lock().unwrap().push(line))
    }

    /// Returns the texts of each task, in their order.
    fn by_task(&self) -> BTreeMap<String, Vec<String>> {
        let mut tasks = BTreeMap::<_, Vec<String>>::new();
        for line in self.0.lock().unwrap().iter() {
            let text = if line.is_whole() { line.text().into_owned() } else { format!("{}…", line.text()) };
            tasks.entry(line.task().unwrap_or("-").to_string()).or_default().push(text);
        }
        tasks
    }
}

fn speaks(n: u32) -> u32 {
    println!("{n} on the standard output");
    eprintln!("{n} on the standard error");
    if n % 3 == 0 {
        print!("{n} is not finished");
        eprint!("{n} is neither");
    }
    if n % 4 == 0 {
        let script = format!("echo {n} of a program; echo {n} of its error >&2");
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    }
    n
}

#[test]
fn a_function_gets_each_line_with_its_worker_and_its_task() {
    on_both(|transport| {
        let (stdout, stderr) = (Log::default(), Log::default());
        let pool = builder(transport, 2).name_prefix("printer").stdout(stdout.output()).stderr(stderr.output());
        let pool = pool.initializer(|()| println!("begins"), ()).build().unwrap();
        let futures: Vec<_> = (0..40)
            .map(|n| pool.submit_with(TaskOptions::new().name(format!("page {n}\nof 40")), speaks, n).unwrap())
            .collect();
        let ids: Vec<_> = futures.iter().map(|future| future.id()).collect();
        for (n, future) in (0..).zip(&futures) {
            assert_eq!(get(future).unwrap(), n);
        }
        let squares = pool.map(|n: u64| println!("item {n}"), 0..100).unwrap();
        assert!(squares.into_iter().all(|done| done.is_ok()));
        drop(pool);
        let (stdout_lines, stderr_lines) = (stdout.by_task(), stderr.by_task());
        // A worker that is not ready before all tasks are done does not begin.
        let begun = &stdout_lines["-"];
        assert!((1..=2).contains(&begun.len()) && begun.iter().all(|line| line == "begins"), "{begun:?}");
        for n in 0..40 {
            let mut expected =
                [vec![format!("{n} on the standard output")], vec![format!("{n} on the standard error")]];
            if n % 4 == 0 {
                // A program writes after what Rust holds back until the task ends.
                expected[0].push(format!("{n} of a program"));
                let before = if n % 3 == 0 { format!("{n} is neither") } else { String::new() };
                expected[1].push(format!("{before}{n} of its error"));
            }
            if n % 3 == 0 {
                expected[0].push(format!("{n} is not finished…"));
                if n % 4 != 0 {
                    expected[1].push(format!("{n} is neither…"));
                }
            }
            let name = format!("page {n} of 40");
            assert_eq!([&stdout_lines[&name], &stderr_lines[&name]], [&expected[0], &expected[1]]);
        }
        let lines = stdout.0.lock().unwrap();
        assert!(lines.iter().all(|line| line.worker().starts_with("printer_") && line.left_out() == 0));
        assert!(ids.iter().all(|id| lines.iter().any(|line| line.task_id() == Some(*id))));
        let items = lines.iter().filter(|line| line.bytes().starts_with(b"item "));
        assert_eq!(items.inspect(|line| assert!(line.task().is_some())).count(), 100);
    });
}

#[test]
fn a_slow_function_delays_no_task_and_what_is_left_out_is_said() {
    const LINE: usize = 1000;
    fn prints_much(count: usize) -> usize {
        let line = "x".repeat(LINE - 1);
        (0..count).for_each(|_| println!("{line}"));
        count
    }
    on_both(|transport| {
        let gate = Arc::new((Mutex::new(false), Condvar::new()));
        let log = Log::default();
        let (is_open, into) = (gate.clone(), log.clone());
        let slow = Output::lines(move |line| {
            drop(is_open.1.wait_while(is_open.0.lock().unwrap(), |is_open| !*is_open).unwrap());
            into.0.lock().unwrap().push(line);
        });
        let pool = builder(transport, 2).stdout(slow).build().unwrap();
        let tasks: Vec<_> = (0..8).map(|_| pool.submit(prints_much, 1000).unwrap()).collect();
        assert!(tasks.iter().all(|task| get(task).unwrap() == 1000));
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
        drop(pool);
        let lines = log.0.lock().unwrap();
        let (seen, left_out) = (lines.iter().filter(|line| line.is_whole()).count(), lines.iter());
        let left_out: u64 = left_out.map(OutputLine::left_out).sum();
        assert!(left_out > 0 && seen < 8000);
        assert_eq!((seen * LINE) as u64 + left_out, 8000 * LINE as u64);
    });
}

#[test]
fn a_worker_that_dies_has_its_last_lines_in_the_error_wherever_they_go() {
    fn dies(_: ()) -> u32 {
        eprintln!("the last words");
        std::io::stderr().flush().unwrap();
        std::process::abort()
    }
    on_both(|transport| {
        let log = Log::default();
        for output in [Output::null(), log.output(), Output::inherit()] {
            let pool = builder(transport, 1).stderr(output).build().unwrap();
            get(&pool.submit(|()| eprintln!("of an earlier task"), ()).unwrap()).unwrap();
            let error = get(&pool.submit(dies, ()).unwrap()).unwrap_err();
            let death = error.worker_death().expect("its death");
            assert_eq!(death.stderr_tail().trim_end(), "the last words", "{error}");
        }
        let lines = log.by_task();
        assert!(lines.values().flatten().any(|line| line == "the last words"), "{lines:?}");
    });
}

#[test]
fn output_may_go_nowhere() {
    on_both(|transport| {
        let pool = builder(transport, 1).stdout(Output::null()).build().unwrap();
        let leads_to = |()| std::fs::read_link("/proc/self/fd/1").unwrap().display().to_string();
        assert_eq!(get(&pool.submit(leads_to, ()).unwrap()).unwrap(), "/dev/null");
    });
}

#[test]
fn a_panic_in_the_function_is_contained() {
    on_both(|transport| {
        let has_panicked = Arc::new(AtomicBool::new(false));
        let flag = has_panicked.clone();
        let panics = Output::lines(move |line| {
            assert!(flag.swap(true, SeqCst), "on purpose, at {}", line.text());
        });
        let pool = builder(transport, 1).stdout(panics).build().unwrap();
        for n in 0..10 {
            assert_eq!(get(&pool.submit(speaks, n).unwrap()).unwrap(), n);
        }
        wait_until("the panic", || has_panicked.load(SeqCst));
    });
}

#[test]
fn workers_run_in_the_directory_that_was_set() {
    on_both(|transport| {
        let dir = SharedDir::new();
        let path = dir.path("inside");
        std::fs::create_dir(&path).unwrap();
        let pool = builder(transport, 1).current_dir(&path).build().unwrap();
        let current = |()| std::env::current_dir().unwrap();
        let found = get(&pool.submit(current, ()).unwrap()).unwrap();
        assert_eq!(found, std::fs::canonicalize(&path).unwrap());
        for (wrong, why) in [(dir.path("nothing"), "No such file"), ("/dev/null".to_string(), "it is no directory")] {
            let error = builder(transport, 1).current_dir(&wrong).build().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
            assert!(error.to_string().contains(why) && error.to_string().contains(&wrong), "{error}");
        }
    });
}

#[test]
fn tasks_have_the_stack_that_was_set() {
    fn uses_stack(bytes: usize) -> usize {
        let frame = std::hint::black_box([1_u8; 4096]);
        if bytes <= 4096 { 0 } else { usize::from(frame[bytes % 4096]) + uses_stack(bytes - 4096) }
    }
    on_both(|transport| {
        let pool = builder(transport, 1).stack_size(64 << 20).build().unwrap();
        // Without optimisation it takes several times as much. The default, usually 8 MiB, is never enough.
        assert!(get(&pool.submit(uses_stack, 10 << 20).unwrap()).unwrap() > 0);
        let small = builder(transport, 1).stack_size(1 << 20).build().unwrap();
        let error = get(&small.submit(uses_stack, 10 << 20).unwrap()).unwrap_err();
        assert!(error.to_string().contains("a stack overflow"), "{error}");
        let error = ProcessPoolExecutor::builder().stack_size(1000).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("stack_size must be at least"), "{error}");
    });
}
