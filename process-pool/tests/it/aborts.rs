//! The standard error of a worker after a panic that ends in an abort.

use executor_core::{Executor, Future};

use crate::support::{get, on_both, pool};

struct Second;

impl Drop for Second {
    fn drop(&mut self) {
        panic!("the second panic");
    }
}

fn double_panic(_: u32) -> u32 {
    let _second = Second;
    panic!("the first panic in line {}", line!());
}

extern "C" fn callback_of_a_c_library() {
    panic!("a panic in a callback");
}

fn panic_in_extern_c(n: u32) -> u32 {
    callback_of_a_c_library();
    n
}

#[allow(unsafe_code)]
fn failed_check(_: u32) -> u32 {
    // SAFETY: not sound on purpose: the check must find this undefined behaviour.
    unsafe { std::hint::unreachable_unchecked() }
}

#[test]
fn the_stderr_tail_of_an_abort_has_the_panics_that_led_to_it() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        let mut cases: Vec<(Future<u32>, &[&str])> = vec![
            (pool.submit(double_panic, 1).unwrap(), &["the first panic", "the second panic"]),
            (pool.submit(panic_in_extern_c, 1).unwrap(), &["a panic in a callback", "cannot unwind"]),
        ];
        if cfg!(debug_assertions) {
            cases.push((pool.submit(failed_check, 1).unwrap(), &["unsafe precondition(s) violated"]));
        }
        for (future, words) in cases {
            let error = get(&future).unwrap_err();
            let death = error.worker_death().unwrap_or_else(|| panic!("{error}"));
            assert_eq!(death.signal(), Some(6), "{error}");
            for word in words {
                assert!(death.stderr_tail().contains(word), "{word:?} is missing in {error}");
            }
            if let Some((_, after)) = death.stderr_tail().split_once("in line ") {
                let line = after.split(|char: char| !char.is_ascii_digit()).next().unwrap();
                assert!(death.stderr_tail().contains(&format!("aborts.rs:{line}:")), "the place is missing in {error}");
            }
        }
    });
}
