//! `examples/python`: each program prints what its model in Python prints.

use std::collections::BTreeSet;

use crate::run::Run;

/// The lines of an output. The groups follow each other, and the lines of one group come in any order. `<n>` stands for
/// any number.
type Lines = &'static [&'static [&'static str]];

/// The output of each program, by the first of its numbers.
const OUTPUTS: &[(u32, Lines)] = &[
    (
        1,
        &[
            &["Parent process <n>."],
            &["Child process will start."],
            &["Run child process test (<n>)..."],
            &["Child process end."],
        ],
    ),
    (
        2,
        &[
            &["Parent process <n>."],
            &[
                "Waiting for all subprocesses done...",
                "Run task 0 (<n>)...",
                "Run task 1 (<n>)...",
                "Run task 2 (<n>)...",
                "Run task 3 (<n>)...",
                "Run task 4 (<n>)...",
                "Task 0 runs <n> seconds.",
                "Task 1 runs <n> seconds.",
                "Task 2 runs <n> seconds.",
                "Task 3 runs <n> seconds.",
                "Task 4 runs <n> seconds.",
            ],
            &["All subprocesses done."],
        ],
    ),
    (3, &[&["$ sh -c 'echo looked up; exit 3'"], &["looked up"], &["Exit code: 3"]]),
    (4, &[&["$ nslookup"], &["> set q=mx"], &["> python.org"], &["Exit code: 0"]]),
    (
        5,
        &[
            &[
                "Process to write: <n>",
                "Put A to queue...",
                "Put B to queue...",
                "Put C to queue...",
                "Process to read: <n>",
                "Get A from queue.",
                "Get B from queue.",
                "Get C from queue.",
            ],
            &["The reader ended with Some(-15)."],
        ],
    ),
    (
        6,
        &[
            &["thread main is running..."],
            &["thread LoopThread is running..."],
            &["thread LoopThread >>> 1"],
            &["thread LoopThread >>> 2"],
            &["thread LoopThread >>> 3"],
            &["thread LoopThread >>> 4"],
            &["thread LoopThread >>> 5"],
            &["thread LoopThread ended."],
            &["a task runs on LoopPool_0"],
            &["thread main ended."],
        ],
    ),
    (7, &[&["0"], &["0"]]),
    (
        8,
        &[&[
            "main",
            "egon piaoing",
            "egon piao end",
            "alex piaoing",
            "alex piao end",
            "wupeiqi piaoing",
            "wupeiqi piao end",
            "yuanhao piaoing",
            "yuanhao piao end",
        ]],
    ),
    (9, &[&["egon is piaoing"], &["main, the process returned 4"]]),
    (10, &[&["alive: true"], &["alive after terminate and join: false"], &["exit code: Some(-15)"]]),
    (11, &[&["daemon: true"], &["egon is piaoing", "ended within the time-out: false"], &["main ends"]]),
    (12, &[&["in the parent: egon's process <n>", "in the child: egon's process <n>"], &["the same: true"]]),
    (
        13,
        &[
            &[
                "buyer <n>: bought a ticket",
                "buyer <n>: bought a ticket",
                "buyer <n>: bought a ticket",
                "buyer <n>: no ticket left",
                "buyer <n>: no ticket left",
                "buyer <n>: no ticket left",
                "buyer <n>: no ticket left",
                "buyer <n>: no ticket left",
                "buyer <n>: no ticket left",
                "buyer <n>: no ticket left",
            ],
            &["3 tickets were sold, 0 are left"],
        ],
    ),
    (
        14,
        &[
            &["full: true"],
            &["put without waiting: false"],
            &["put with a time-out: Err(Timeout)"],
            &["get: 1"],
            &["get: 2"],
            &["get: 3"],
            &["empty: true"],
            &["get without waiting: None"],
            &["get with a time-out: Err(Timeout)"],
        ],
    ),
    (
        15,
        &[
            &["apply: 101"],
            &["ready: true, successful: true, get: 102"],
            &["map: [101, 102, 103]"],
            &["map_async: [104, 105, 106]"],
            &["imap: 107"],
            &["imap: 108"],
            &["imap_unordered, sorted: [101, 102, 103]"],
            &["starmap: [8, 9]"],
            &["after close: Err(ShutDown)"],
            &["terminate: Err(Terminated)"],
        ],
    ),
    (23, &[&["Hello, Alice (in Thread-A)"], &["Hello, Bob (in Thread-B)"], &["school_0 has seen Alice and Bob"]]),
    (24, &[&["Some(0)"], &["Some(2)"], &["Some(3)"], &["Some(2)"], &["[3, 4]"]]),
    (
        25,
        &[
            &["Process (<n>) start..."],
            &["I (<n>) just created a child process (<n>).", "I am child process (<n>) and my parent is <n>."],
        ],
    ),
    (
        28,
        &[
            &["watch: first line", "watch: second line", "work: first line", "work: second line"],
            &["an RLock is locked twice by one thread: true"],
            &["a third permit of two: false"],
            &["a release above the bound: Err(InvalidState)"],
        ],
    ),
    (29, &[&["12 squared is 144"], &["received 1"], &["received 2"], &["received 3"], &["end of file"]]),
    (30, &[&["[10, 11, 12, 20, 21, 22, 30, 31, 32]"]]),
    (
        31,
        &[
            &[
                "p1 made bun 0",
                "p1 made bun 1",
                "p2 made bone 0",
                "p2 made bone 1",
                "p3 made slop 0",
                "p3 made slop 1",
                "c<n> ate bun 0",
                "c<n> ate bun 1",
                "c<n> ate bone 0",
                "c<n> ate bone 1",
                "c<n> ate slop 0",
                "c<n> ate slop 1",
            ],
            &["main ends, and the consumers with it"],
        ],
    ),
    (32, &[&["Welcome to Python", "Welcome to OpenStack", "Welcome to Sina"], &["<n> bytes in 3 pages"]]),
    (
        40,
        &[
            &["Hello world! (main)"],
            &["Hello again! (main)"],
            &["Hello world! (main)"],
            &["Hello world! (main)"],
            &["Hello again! (main)"],
            &["Hello again! (main)"],
        ],
    ),
    (
        41,
        &[
            &["pro-0 (<n>) ended with Some(0)"],
            &["pro-1 (<n>) ended with Some(0)"],
            &["pro-2 (<n>) ended with Some(0)"],
            &["pro-3 (<n>) ended with Some(0)"],
            &["pro-4 (<n>) ended with Some(0)"],
            &["<n> seconds"],
            &["together they counted 15005000"],
            &["sleeper ended with Some(-15)"],
        ],
    ),
    (
        42,
        &[
            &[
                "callback: half of 0 is 0",
                "error_callback: 1 is odd",
                "callback: half of 2 is 1",
                "error_callback: 3 is odd",
            ],
            &["sum: 1"],
        ],
    ),
    (
        43,
        &[
            &["the square of 0 is 0"],
            &["the square of 1 is 1"],
            &["the square of 2 is 4"],
            &["the square of 3 is 9"],
            &["the last one was cancelled or is done: true"],
            &["the square of 0 is 0"],
            &["the square of 1 is 1"],
            &["the square of 2 is 4"],
            &["the square of 3 is 9"],
            &["the last one was cancelled or is done: true"],
        ],
    ),
    (
        44,
        &[
            &["1000003 is prime: true", "1000033 is prime: true", "1000035 is prime: false"],
            &["the executor has ended"],
        ],
    ),
];

/// Returns whether the line is this pattern, in which `<n>` stands for a number.
fn is_like(line: &str, pattern: &str) -> bool {
    let Some((before, after)) = pattern.split_once("<n>") else { return line == pattern };
    let Some(rest) = line.strip_prefix(before) else { return false };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    // A number may have a fraction. A point that ends a sentence belongs to the pattern.
    let fraction = rest[digits..].strip_prefix('.').map_or(0, |rest| {
        let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if length == 0 { 0 } else { length + 1 }
    });
    digits > 0 && is_like(&rest[digits + fraction..], after)
}

#[track_caller]
fn assert_is_like(number: u32, output: &str, expected: Lines) {
    let mut lines = output.lines();
    for group in expected {
        let mut missing = group.to_vec();
        for line in lines.by_ref().take(group.len()) {
            let Some(at) = missing.iter().position(|pattern| is_like(line, pattern)) else {
                panic!("program {number} prints `{line}`, and not {missing:?}:\n{output}");
            };
            missing.remove(at);
        }
        assert!(missing.is_empty(), "program {number} does not print {missing:?}:\n{output}");
    }
    assert_eq!(lines.next(), None, "program {number} prints more:\n{output}");
}

/// Returns the numbers of each program in the list that the example prints.
fn listed() -> Vec<Vec<u32>> {
    let ended = Run::start::<&str>("python", []).end();
    ended.expect_code(0);
    let numbers = |line: &str| {
        let numbers = line.split_whitespace().map(str::parse);
        numbers.take_while(Result::is_ok).flatten().collect::<Vec<u32>>()
    };
    ended.stdout.lines().map(numbers).collect()
}

#[test]
fn every_program_is_listed() {
    let listed: BTreeSet<u32> = listed().into_iter().flatten().collect();
    // Two of the programs are examples of their own, because they run on two machines: `task_master`, `task_worker`.
    assert_eq!(listed, (1..=44).filter(|number| ![37, 38].contains(number)).collect());
}

#[test]
fn every_program_prints_what_it_prints_in_python() {
    let numbers = listed();
    assert_eq!(
        numbers.iter().map(|numbers| numbers[0]).collect::<BTreeSet<_>>(),
        OUTPUTS.iter().map(|(number, _)| *number).collect(),
    );
    for (number, expected) in OUTPUTS {
        let ended = Run::start("python", [number.to_string()]).end();
        ended.expect_code(0);
        assert_is_like(*number, &ended.stdout, expected);
    }
}

#[test]
fn a_program_that_does_not_exist_is_an_error() {
    let ended = Run::start("python", ["37"]).end();
    ended.expect_code(1);
    assert!(ended.stderr.contains("there is no program `37`"), "{ended:?}");
}
