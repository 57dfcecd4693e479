//! Builds an executor and then ends in some way. The tests run it and check what it leaves behind.
//!
//! `program <scenario> <executor>`

use std::{fs::File, io::Write, mem, process, thread, time::Duration};

use executor_core::{Backend, Error, Executor, Future, InlineExecutor, Shutdown};
use process_pool::{ProcessPoolExecutor, Transport};
use tests::crash::Crash;
use thread_pool::ThreadPoolExecutor;

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let (scenario, kind) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
    match scenario.as_str() {
        "returns-from-main" => returns_from_main(&*executor(&kind)?),
        "closes-and-returns-from-main" => {
            let executor = executor(&kind)?;
            let future = executor.submit(says_apple, ())?;
            executor.close(Shutdown::Drain);
            drop(future);
            Ok(())
        }
        "cancels-and-returns-from-main" => {
            let executor = executor(&kind)?;
            drop(executor.submit(says_apple, ())?);
            executor.close(Shutdown::CancelPending);
            Ok(())
        }
        "forgets-the-executor" => {
            let executor = executor(&kind)?;
            let _ = start_endless(&*executor)?;
            print_workers(&kind);
            mem::forget(executor);
            Ok(())
        }
        "exits" => {
            let executor = executor(&kind)?;
            let _ = start_endless(&*executor)?;
            print_workers(&kind);
            process::exit(3)
        }
        "panics" => {
            let executor = executor(&kind)?;
            drop(executor.submit(says_apple, ())?);
            panic!("the program panics on purpose");
        }
        "waits-to-be-killed" => waits_to_be_killed(&kind),
        "forks" => forks(&kind),
        "runs-out-of-descriptors" => runs_out_of_descriptors(&kind),
        "submits-from-a-thread-local" => submits_from_a_thread_local(&kind),
        _ => panic!("there is no scenario `{scenario}`"),
    }
}

fn processes(kind: &str) -> Result<ProcessPoolExecutor, Error> {
    let transport = if kind == "socket" { Transport::Socket } else { Transport::Ring };
    ProcessPoolExecutor::builder().max_workers(2).transport(transport).build()
}

fn executor(kind: &str) -> Result<Box<dyn Backend>, Error> {
    Ok(match kind {
        "inline" => Box::new(InlineExecutor::new()),
        "threads" => Box::new(ThreadPoolExecutor::new(2)?),
        _ => Box::new(processes(kind)?),
    })
}

fn says_apple((): ()) {
    println!("apple");
}

fn returns_from_main(executor: &dyn Backend) -> Result<(), Error> {
    let future = executor.submit(says_apple, ())?;
    future.add_done_callback(|_| println!("pear"));
    Ok(())
}

/// Submits a task that never ends, and waits until it runs.
fn start_endless(executor: &dyn Backend) -> Result<Future<()>, Error> {
    let endless = |()| loop {
        thread::park();
    };
    let future = executor.submit::<_, _, ()>(endless, ())?;
    while !future.running() {
        thread::yield_now();
    }
    Ok(future)
}

/// Prints the children of this process for the test.
fn print_workers(kind: &str) {
    if kind == "threads" {
        return;
    }
    let pids: Vec<String> = test_support::children().iter().map(ToString::to_string).collect();
    println!("{}", pids.join(" "));
    let _ = std::io::stdout().flush();
}

fn waits_to_be_killed(kind: &str) -> Result<(), Error> {
    let executor = processes(kind)?;
    // One worker is busy and one is idle.
    let _future = start_endless(&executor)?;
    print_workers(kind);
    loop {
        thread::park();
    }
}

/// Checks that a forked child gets errors and that the parent's pool still works.
fn forks(kind: &str) -> Result<(), Error> {
    let executor = executor(kind)?;
    executor.submit(|n: u8| n, 1)?.result(None)?;
    let pending = start_endless(&*executor)?;
    let child = fork();
    if child == 0 {
        let submitted = executor.submit(|n: u8| n, 1).map(drop);
        let waited = pending.result(Duration::from_secs(3600));
        let errors = [submitted.err().map(|e| e.to_string()), waited.err().map(|e| e.to_string())];
        let both = errors.iter().all(Option::is_some);
        eprintln!("the child got {errors:?}");
        // The drop in the child must not hang, and must not affect the parent's workers.
        drop(executor);
        process::exit(if both { 0 } else { 1 });
    }
    let code = wait_for(child);
    println!("the child ended with {code}");
    // The parent's pool still works.
    let after = executor.submit(|n: u8| n + 1, 1)?.result(None)?;
    println!("the parent has {after}");
    print_workers(kind);
    process::exit(0)
}

#[allow(unsafe_code)] // The standard library has no `fork`.
fn fork() -> i32 {
    // SAFETY: the child takes locks, which may be held by threads that it does not have. Then it hangs and the test
    // fails.
    unsafe { libc::fork() }
}

#[allow(unsafe_code)] // The standard library cannot wait for a forked child.
fn wait_for(child: i32) -> i32 {
    let mut status = 0;
    // SAFETY: `status` lives through the call.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(waited, child);
    if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -1 }
}

/// Crashes all workers while no new ones can be started, and prints the outcomes of the tasks.
fn runs_out_of_descriptors(kind: &str) -> Result<(), Error> {
    let executor = processes(kind)?;
    let before: Vec<_> = (0..2).map(|_| executor.submit(|n: u8| n, 1)).collect::<Result<_, _>>()?;
    for future in before {
        future.result(None)?;
    }
    let mut all = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        all.push(file);
    }
    let crashes: Vec<_> = (0..2)
        .map(|_| executor.submit(|crash: Crash| -> () { crash.now() }, Crash::Abort))
        .collect::<Result<_, _>>()?;
    let after: Vec<_> = (0..5).map(|_| executor.submit(|n: u8| n, 1)).collect();
    for crash in crashes {
        println!("crash: {:?}", crash.result(None).map_err(|error| error.kind()));
    }
    for submitted in after {
        match submitted {
            Err(error) => println!("refused: {:?}: {error}", error.kind()),
            Ok(future) => match future.result(None) {
                Ok(value) => println!("value: {value}"),
                Err(error) => println!("failed: {:?}: {error}", error.kind()),
            },
        }
    }
    drop(all);
    executor.shutdown(Shutdown::Drain);
    Ok(())
}

/// Submits in the destructor of a thread-local value, after the executor was shut down.
fn submits_from_a_thread_local(kind: &str) -> Result<(), Error> {
    struct Late(Box<dyn Backend>);
    impl Drop for Late {
        fn drop(&mut self) {
            let refused = self.0.submit(|n: u8| n, 1).map(drop);
            println!("{:?}", refused.map_err(|error| error.kind()));
        }
    }
    thread_local!(static LATE: std::cell::RefCell<Option<Late>> = const { std::cell::RefCell::new(None) });
    let executor = executor(kind)?;
    executor.shutdown(Shutdown::Drain);
    thread::spawn(move || LATE.set(Some(Late(executor)))).join().expect("it does not panic");
    Ok(())
}
