//! The cause of a death comes from facts and not from text on the standard error. The stderr tail is that of the task.

use executor_core::{Error, ErrorKind, Executor, MapOptions};
use process_pool::{ProcessPoolExecutor, Transport};

use crate::support::{builder, get, kill, on_both, pool, wait_until, warm_up};

/// Text that a worker or the system writes before certain deaths.
const TEXTS: [&str; 5] = [
    "memory allocation of the parser took 5 ms",
    "memory allocation of 1073741824 bytes failed",
    "the worker's main thread has overflowed its stack",
    "the worker has lost the link to its parent",
    "a worker could not start: no reason",
];

/// The causes that this text could be mistaken for.
const MISTAKES: [&str; 4] = ["out of memory", "stack overflow", "closed its link", "could not start"];

/// Ways to die, and the cause in the message.
const DEATHS: [(&str, &str); 7] = [
    ("exit 3", "called exit"),
    ("exit 97", "called exit"),
    ("exit 101", "called exit"),
    ("abort", "aborted"),
    ("segfault", "bad memory access"),
    ("signal 7", "bad memory access"),
    ("signal 9", "killed from outside"),
];

#[allow(unsafe_code)]
fn ends(how: &str) -> u32 {
    match how.split_once(' ') {
        Some(("exit", code)) => std::process::exit(code.parse().unwrap()),
        Some((_, signal)) => kill(std::process::id(), signal.parse().unwrap()),
        None if how == "abort" => std::process::abort(),
        // SAFETY: not sound on purpose: the process must die of it.
        None => return unsafe { std::ptr::with_exposed_provenance::<u32>(64).read_volatile() },
    }
    loop {
        std::thread::park();
    }
}

fn writes(text: String) -> u32 {
    eprintln!("{text}");
    0
}

/// Writes in a child process, without the worker's own code.
fn writes_by_a_child(text: String) -> u32 {
    let status = std::process::Command::new("sh").args(["-c", "echo \"$0\" >&2", &text]).status();
    assert!(status.unwrap().success());
    0
}

fn writes_and_ends((text, how): (String, String)) -> u32 {
    eprintln!("{text}");
    ends(&how)
}

fn tail(error: &Error) -> &str {
    error.worker_death().expect("a death").stderr_tail()
}

fn has_cause(error: &Error, cause: &str) {
    assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
    let text = error.to_string();
    let (facts, _) = text.split_once(". The end of its standard error:").unwrap_or((&text, ""));
    assert!(facts.contains(cause), "{cause:?} is missing in {text}");
    for mistake in MISTAKES {
        assert!(!facts.contains(mistake), "{mistake:?} is named in {text}");
    }
}

#[test]
fn the_output_of_an_earlier_task_is_not_the_cause_of_a_death() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        for (how, cause) in DEATHS {
            for text in TEXTS {
                get(&pool.submit(writes, text.to_string()).unwrap()).unwrap();
                let error = get(&pool.submit(|how: String| ends(&how), how.to_string()).unwrap()).unwrap_err();
                has_cause(&error, cause);
                assert_eq!(tail(&error), "", "{how} after {text}");
            }
        }
        for text in TEXTS {
            get(&pool.submit(writes_by_a_child, text.to_string()).unwrap()).unwrap();
            let error = get(&pool.submit(writes_and_ends, ("its own".into(), "exit 3".into())).unwrap()).unwrap_err();
            has_cause(&error, "called exit");
            assert_eq!(tail(&error), "its own");
        }
    });
}

#[test]
fn the_output_of_a_task_is_not_the_cause_of_its_death() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        for (how, cause) in DEATHS {
            for text in TEXTS {
                if how == "abort" && text.ends_with("bytes failed") {
                    // This cannot be distinguished from a real failure of the allocator.
                    continue;
                }
                let future = pool.submit(writes_and_ends, (text.to_string(), how.to_string())).unwrap();
                let error = get(&future).unwrap_err();
                has_cause(&error, cause);
                assert_eq!(tail(&error), text);
            }
        }
    });
}

#[test]
fn tasks_in_quick_succession_have_their_own_stderr_tails() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        for round in 0..60 {
            // They are sent to the worker together, so they run in quick succession.
            let before: Vec<_> = (0..8)
                .map(|n| match n % 3 {
                    0 => pool.submit(writes, format!("before {n}")).unwrap(),
                    _ => pool.submit(|n: u32| n, n).unwrap(),
                })
                .collect();
            let own = format!("own text of {round}");
            let dies = pool.submit(writes_and_ends, (own.clone(), "abort".to_string())).unwrap();
            let dies_silently = pool.submit(|how: String| ends(&how), "abort".to_string()).unwrap();
            assert_eq!(tail(&get(&dies).unwrap_err()), own);
            assert_eq!(tail(&get(&dies_silently).unwrap_err()), "");
            before.iter().for_each(|future| assert!(get(future).is_ok()));
        }
    });
}

#[test]
fn items_of_a_chunk_have_their_own_stderr_tails() {
    fn writes_or_dies(n: u32) -> u32 {
        match n % 4 {
            0 => writes(format!("memory allocation of {n} bytes failed")),
            1 => n,
            2 => writes_and_ends((format!("own text of {n}"), "abort".into())),
            _ => ends("abort"),
        }
    }
    on_both(|transport| {
        let pool = pool(transport, 2);
        let results: Vec<_> = pool.map_with(MapOptions::new().chunksize(8), writes_or_dies, 0..32).unwrap().collect();
        for (n, result) in (0..).zip(results) {
            match n % 4 {
                2 => assert_eq!(tail(&result.unwrap_err()), format!("own text of {n}")),
                3 => {
                    let error = result.unwrap_err();
                    has_cause(&error, "aborted");
                    assert_eq!(tail(&error), "");
                }
                _ => assert!(result.is_ok(), "{result:?}"),
            }
        }
    });
}

#[test]
fn the_output_of_an_initializer_is_not_that_of_the_first_task() {
    on_both(|transport| {
        let pool = builder(transport, 1).initializer(writes, TEXTS[1].to_string()).build().unwrap();
        for _ in 0..5 {
            let error = get(&pool.submit(|how: String| ends(&how), "abort".to_string()).unwrap()).unwrap_err();
            has_cause(&error, "aborted");
            assert_eq!(tail(&error), "");
        }
    });
}

#[test]
fn an_initializer_that_exits_is_reported_as_an_exit() {
    on_both(|transport| {
        let pool =
            builder(transport, 1).initializer(|code: i32| -> () { std::process::exit(code) }, 97).build().unwrap();
        let error = match pool.submit(|n: u32| n, 1) {
            Ok(future) => get(&future).unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.kind(), ErrorKind::Broken);
        assert!(error.to_string().contains("called exit"), "{error}");
    });
}

#[test]
fn a_death_between_tasks_has_no_stderr_tail_of_a_task() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        for _ in 0..10 {
            warm_up(&pool, 1);
            get(&pool.submit(writes, TEXTS[1].to_string()).unwrap()).unwrap();
            let worker = pool.worker_pids()[0];
            kill(worker, libc::SIGKILL);
            wait_until("its end", || !pool.worker_pids().contains(&worker));
            let error = get(&pool.submit(|how: String| ends(&how), "exit 3".to_string()).unwrap()).unwrap_err();
            has_cause(&error, "called exit");
        }
    });
}

#[test]
fn an_error_contains_no_control_characters() {
    const BAD: &str =
        "red \u{1b}[31m title \u{1b}]0;x\u{7} C1 \u{9b}2J back\u{8} return\r order \u{202e}\u{2066} delete \u{7f}";
    fn is_harmless(text: &str) -> bool {
        let obeyed = |character: char| character.is_control() && character != '\n';
        let orders = |character| matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        !text.contains(obeyed) && !text.contains(orders)
    }
    fn error_after(pool: &ProcessPoolExecutor, text: &str) -> Error {
        get(&pool.submit(writes_and_ends, (text.into(), "abort".into())).unwrap()).unwrap_err()
    }
    on_both(|transport| {
        let pool = pool(transport, 1);
        let error = error_after(&pool, BAD);
        assert!(is_harmless(&error.to_string()) && is_harmless(tail(&error)), "{error:?}");
        assert!(tail(&error).contains("red \\u{1b}[31m title"), "{error}");
        let panics = |text: String| -> u32 { panic!("{text}") };
        let error = get(&pool.submit(panics, BAD.to_string()).unwrap()).unwrap_err();
        assert!(is_harmless(&error.to_string()), "{error:?}");
        assert_eq!(error.panic().unwrap().message(), BAD);
        // One long line, many lines, escapes, and all of these.
        for text in
            ["x".repeat(32 << 10), "x\n".repeat(20_000), "\u{1b}".repeat(100_000), format!("{BAD}\n").repeat(500)]
        {
            let error = error_after(&pool, &text);
            assert!(tail(&error).len() < 5000 && error.to_string().len() < 6000, "{}", error.to_string().len());
            assert!(tail(&error).lines().all(|line| line.len() < 500) && is_harmless(&error.to_string()));
            let error = get(&pool.submit(panics, text).unwrap()).unwrap_err();
            assert!(error.to_string().len() < 6000 && is_harmless(&error.to_string()));
        }
    });
    // The error of a broken pool contains none either.
    for transport in [Transport::Ring, Transport::Socket] {
        let pool =
            builder(transport, 1).initializer(|text: String| -> () { panic!("{text}") }, BAD.to_string()).build();
        let error = match pool.unwrap().submit(|n: u32| n, 1) {
            Ok(future) => get(&future).unwrap_err(),
            Err(error) => error,
        };
        assert!(is_harmless(&error.to_string()) && error.to_string().contains("\\u{1b}"), "{error:?}");
    }
}
