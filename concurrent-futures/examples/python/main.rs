//! Small programs as they are written in Python, and here: `cargo run --example python -- 14`, or without a number for
//! the list.
//!
//! Each file has one program, or several that are the same, and says what it is in Python.

mod balance;
mod bounded_queue;
mod callbacks;
mod coroutines;
mod dialogue;
mod exit_code;
mod generator;
mod loop_thread;
mod pipe;
mod poll_until_done;
mod pool;
mod pool_idioms;
mod thread_local;
mod web_pages;
mod with_executor;

use std::{env, process::ExitCode};

use concurrent_futures::Error;

/// A program: its numbers, what it is in Python, and its function here.
struct Program {
    numbers: &'static [u32],
    python: &'static str,
    run: fn() -> Result<(), Error>,
}

macro_rules! programs {
    ($($module:ident [$($number:literal)+] $python:literal)+) => {
        &[$(Program { numbers: &[$($number),+], python: $python, run: $module::run }),+]
    };
}

const PROGRAMS: &[Program] = programs! {
    pool [2 17 36] "`Pool(4)`, `apply_async` of five tasks, `close`, `join`"
    exit_code [3 18] "`subprocess.call` and its exit code"
    dialogue [4 19] "`Popen`, `communicate` with input, the output and `returncode`"
    loop_thread [6 21 39] "`threading.Thread` with a name, and `current_thread().name`"
    balance [7 22 39] "a shared number, two threads and a `threading.Lock`"
    bounded_queue [14] "`Queue(3)`: `put`, `full`, `get`, `empty`, and the forms that do not wait"
    pool_idioms [15] "`Pool` with an initializer: `apply`, `AsyncResult`, `map`, `imap`, `starmap`, `terminate`"
    thread_local [23 39] "`threading.local`"
    generator [24] "a generator with `send`"
    pipe [29] "`Pipe()` and `Pipe(duplex=False)`"
    web_pages [32] "`Pool(3)` that fetches pages, with a `callback` that finds the title"
    coroutines [40] "`asyncio`: coroutines that are waited for together"
    callbacks [42] "`apply_async` with `callback` and `error_callback`"
    poll_until_done [43] "`concurrent.futures`: threads or processes by one line, `done`, `cancel`, `shutdown`"
    with_executor [44] "`with ProcessPoolExecutor(3) as executor`"
};

fn main() -> ExitCode {
    let Some(number) = env::args().nth(1) else {
        for program in PROGRAMS {
            let numbers: Vec<String> = program.numbers.iter().map(u32::to_string).collect();
            println!("{:>8}  {}", numbers.join(" "), program.python);
        }
        return ExitCode::SUCCESS;
    };
    let has_number = |program: &&Program| program.numbers.iter().any(|own| own.to_string() == number);
    let programs: Vec<&Program> = PROGRAMS.iter().filter(has_number).collect();
    if programs.is_empty() {
        eprintln!("there is no program `{number}`: call this without an argument for the list");
        return ExitCode::FAILURE;
    }
    for program in programs {
        if let Err(error) = (program.run)() {
            eprintln!("program {number} failed: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
