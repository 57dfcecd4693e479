//! What is said of a death comes from the task that died, and from facts where there are some: not from what others
//! wrote.

use executor_core::{Error, ErrorKind, Executor, MapOptions};
use process_pool::{ProcessPoolExecutor, Transport};

use crate::support::{builder, get, kill, on_both, pool, wait_until, warm_up};

/// What the worker, or the system, says in such cases.
const WORDS: [&str; 5] = [
    "memory allocation of the parser took 5 ms",
    "memory allocation of 1073741824 bytes failed",
    "the worker's main thread has overflowed its stack",
    "the worker has lost the link to its parent",
    "a worker could not start: no reason",
];

/// What those words are taken for.
const MISTAKES: [&str; 4] = ["out of memory", "stack overflow", "closed its link", "could not start"];

/// Ways to die, and what is said of each.
const ENDS: [(&str, &str); 7] = [
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
        // SAFETY: none; the process is meant to die of it.
        None => return unsafe { std::ptr::with_exposed_provenance::<u32>(64).read_volatile() },
    }
    loop {
        std::thread::park();
    }
}

fn says(words: String) -> u32 {
    eprintln!("{words}");
    0
}

/// As a library in C would, or a child.
fn says_by_a_child(words: String) -> u32 {
    let status = std::process::Command::new("sh").args(["-c", "echo \"$0\" >&2", &words]).status();
    assert!(status.unwrap().success());
    0
}

fn says_and_ends((words, how): (String, String)) -> u32 {
    eprintln!("{words}");
    ends(&how)
}

fn tail(error: &Error) -> &str {
    error.worker_death().expect("a death").stderr_tail()
}

fn is_not_mistaken(error: &Error, cause: &str) {
    assert_eq!(error.kind(), ErrorKind::WorkerDied, "{error}");
    let text = error.to_string();
    let (facts, _) = text.split_once(". The end of its standard error:").unwrap_or((&text, ""));
    assert!(facts.contains(cause), "{cause:?} is not what is said in {text}");
    for mistake in MISTAKES {
        assert!(!facts.contains(mistake), "{mistake:?} is said in {text}");
    }
}

#[test]
fn what_an_earlier_task_has_written_says_nothing_of_a_death() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        for (how, cause) in ENDS {
            for words in WORDS {
                get(&pool.submit(says, words.to_string()).unwrap()).unwrap();
                let error = get(&pool.submit(|how: String| ends(&how), how.to_string()).unwrap()).unwrap_err();
                is_not_mistaken(&error, cause);
                assert_eq!(tail(&error), "", "{how} after {words}");
            }
        }
        for words in WORDS {
            get(&pool.submit(says_by_a_child, words.to_string()).unwrap()).unwrap();
            let error = get(&pool.submit(says_and_ends, ("its own".into(), "exit 3".into())).unwrap()).unwrap_err();
            is_not_mistaken(&error, "called exit");
            assert_eq!(tail(&error), "its own");
        }
    });
}

#[test]
fn what_a_task_says_itself_is_no_fact_either() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        for (how, cause) in ENDS {
            for words in WORDS {
                if how == "abort" && words.ends_with("bytes failed") {
                    // It says so and aborts, as what it imitates.
                    continue;
                }
                let future = pool.submit(says_and_ends, (words.to_string(), how.to_string())).unwrap();
                let error = get(&future).unwrap_err();
                is_not_mistaken(&error, cause);
                assert_eq!(tail(&error), words);
            }
        }
    });
}

#[test]
fn tasks_that_follow_each_other_at_once_have_their_own_last_words() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        for round in 0..60 {
            // Given to the worker together, so that they run one right after the other.
            let before: Vec<_> = (0..8)
                .map(|n| match n % 3 {
                    0 => pool.submit(says, format!("before {n}")).unwrap(),
                    _ => pool.submit(|n: u32| n, n).unwrap(),
                })
                .collect();
            let own = format!("own words of {round}");
            let dies = pool.submit(says_and_ends, (own.clone(), "abort".to_string())).unwrap();
            let dies_silently = pool.submit(|how: String| ends(&how), "abort".to_string()).unwrap();
            assert_eq!(tail(&get(&dies).unwrap_err()), own);
            assert_eq!(tail(&get(&dies_silently).unwrap_err()), "");
            before.iter().for_each(|future| assert!(get(future).is_ok()));
        }
    });
}

#[test]
fn items_of_a_batch_have_their_own_last_words() {
    fn says_or_dies(n: u32) -> u32 {
        match n % 4 {
            0 => says(format!("memory allocation of {n} bytes failed")),
            1 => n,
            2 => says_and_ends((format!("own words of {n}"), "abort".into())),
            _ => ends("abort"),
        }
    }
    on_both(|transport| {
        let pool = pool(transport, 2);
        let results: Vec<_> = pool.map_with(MapOptions::new().chunksize(8), says_or_dies, 0..32).unwrap().collect();
        for (n, result) in (0..).zip(results) {
            match n % 4 {
                2 => assert_eq!(tail(&result.unwrap_err()), format!("own words of {n}")),
                3 => {
                    let error = result.unwrap_err();
                    is_not_mistaken(&error, "aborted");
                    assert_eq!(tail(&error), "");
                }
                _ => assert!(result.is_ok(), "{result:?}"),
            }
        }
    });
}

#[test]
fn what_an_initializer_has_written_is_not_the_first_task_s() {
    on_both(|transport| {
        let pool = builder(transport, 1).initializer(says, WORDS[1].to_string()).build().unwrap();
        for _ in 0..5 {
            let error = get(&pool.submit(|how: String| ends(&how), "abort".to_string()).unwrap()).unwrap_err();
            is_not_mistaken(&error, "aborted");
            assert_eq!(tail(&error), "");
        }
    });
}

#[test]
fn an_initializer_that_exits_is_not_a_worker_that_could_not_start() {
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
fn a_worker_that_dies_between_tasks_takes_no_task_s_words_along() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        for _ in 0..10 {
            warm_up(&pool, 1);
            get(&pool.submit(says, WORDS[1].to_string()).unwrap()).unwrap();
            let worker = pool.worker_pids()[0];
            kill(worker, libc::SIGKILL);
            wait_until("its end", || !pool.worker_pids().contains(&worker));
            let error = get(&pool.submit(|how: String| ends(&how), "exit 3".to_string()).unwrap()).unwrap_err();
            is_not_mistaken(&error, "called exit");
        }
    });
}

#[test]
fn a_terminal_obeys_nothing_that_is_in_an_error() {
    const BAD: &str =
        "red \u{1b}[31m title \u{1b}]0;x\u{7} C1 \u{9b}2J back\u{8} return\r order \u{202e}\u{2066} delete \u{7f}";
    fn is_harmless(text: &str) -> bool {
        let obeyed = |character: char| character.is_control() && character != '\n';
        let orders = |character| matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        !text.contains(obeyed) && !text.contains(orders)
    }
    fn shown(pool: &ProcessPoolExecutor, words: &str) -> Error {
        get(&pool.submit(says_and_ends, (words.into(), "abort".into())).unwrap()).unwrap_err()
    }
    on_both(|transport| {
        let pool = pool(transport, 1);
        let error = shown(&pool, BAD);
        assert!(is_harmless(&error.to_string()) && is_harmless(tail(&error)), "{error:?}");
        assert!(tail(&error).contains("red \\u{1b}[31m title"), "{error}");
        let panics = |words: String| -> u32 { panic!("{words}") };
        let error = get(&pool.submit(panics, BAD.to_string()).unwrap()).unwrap_err();
        assert!(is_harmless(&error.to_string()), "{error:?}");
        assert_eq!(error.panic().unwrap().message(), BAD);
        // One long line, many lines, and both.
        for words in
            ["x".repeat(32 << 10), "x\n".repeat(20_000), "\u{1b}".repeat(100_000), format!("{BAD}\n").repeat(500)]
        {
            let error = shown(&pool, &words);
            assert!(tail(&error).len() < 5000 && error.to_string().len() < 6000, "{}", error.to_string().len());
            assert!(tail(&error).lines().all(|line| line.len() < 500) && is_harmless(&error.to_string()));
            let error = get(&pool.submit(panics, words).unwrap()).unwrap_err();
            assert!(error.to_string().len() < 6000 && is_harmless(&error.to_string()));
        }
    });
    // The same where the pool is broken by it.
    for transport in [Transport::Ring, Transport::Socket] {
        let pool =
            builder(transport, 1).initializer(|words: String| -> () { panic!("{words}") }, BAD.to_string()).build();
        let error = match pool.unwrap().submit(|n: u32| n, 1) {
            Ok(future) => get(&future).unwrap_err(),
            Err(error) => error,
        };
        assert!(is_harmless(&error.to_string()) && error.to_string().contains("\\u{1b}"), "{error:?}");
    }
}
