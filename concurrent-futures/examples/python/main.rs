//! Small programs as they are written in Python, and here: `cargo run --example python -- 14`, or without a number for
//! the list.
//!
//! Each file has one program, or several that are the same, and says what it is in Python.

mod balance;
mod bounded_queue;
mod callbacks;
mod coroutines;
mod daemon;
mod dialogue;
mod exit_code;
mod generator;
mod joinable_queue;
mod locks;
mod loop_thread;
mod named_processes;
mod names;
mod one_process;
mod parent;
mod pipe;
mod poll_until_done;
mod pool;
mod pool_idioms;
mod process_struct;
mod push_and_shift;
mod several_processes;
mod terminate;
mod thread_local;
mod tickets;
mod web_pages;
mod with_executor;
mod writer_reader;

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
    one_process [1 16 26] "`Process(target=f, args=…)`, `start`, `join`, and the pids"
    pool [2 17 36] "`Pool(4)`, `apply_async` of five tasks, `close`, `join`"
    exit_code [3 18] "`subprocess.call` and its exit code"
    dialogue [4 19] "`Popen`, `communicate` with input, the output and `returncode`"
    writer_reader [5 20 36] "two `Process`es on a `Queue`; one is joined, one terminated"
    loop_thread [6 21 39] "`threading.Thread` with a name, and `current_thread().name`"
    balance [7 22 39] "a shared number, two threads and a `threading.Lock`"
    several_processes [8 27 33] "several `Process`es, which are all joined"
    process_struct [9 34] "a subclass of `Process` with a method `run`"
    terminate [10] "`terminate`, and `is_alive` before and after"
    daemon [11] "`daemon = True`, and `join` with a time-out"
    names [12] "the name and the pid of a `Process`"
    tickets [13] "ten `Process`es that change a file under a `Lock`"
    bounded_queue [14] "`Queue(3)`: `put`, `full`, `get`, `empty`, and the forms that do not wait"
    pool_idioms [15] "`Pool` with an initializer: `apply`, `AsyncResult`, `map`, `imap`, `starmap`, `terminate`"
    thread_local [23 39] "`threading.local`"
    generator [24] "a generator with `send`"
    parent [25 35] "`os.fork` and `os.getppid`"
    locks [28] "`Lock`, `RLock`, `Semaphore`, `BoundedSemaphore`"
    pipe [29] "`Pipe()` and `Pipe(duplex=False)`"
    push_and_shift [30] "three `Process`es that put into a `Queue(3)`, and three that get"
    joinable_queue [31] "producers that join a `JoinableQueue`, and daemons that call `task_done`"
    web_pages [32] "`Pool(3)` that fetches pages, with a `callback` that finds the title"
    coroutines [40] "`asyncio`: coroutines that are waited for together"
    named_processes [41] "`Process`es with names, their exit codes, and the time they take"
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
