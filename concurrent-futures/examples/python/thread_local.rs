//! Python: `local_school = threading.local()`. Two threads, Alice and Bob, set `local_school.student` and call a
//! function that greets it.

use std::{cell::RefCell, thread};

use concurrent_futures::{Error, Executor, ThreadPoolExecutor, WorkerLocal, task};

thread_local! {
    static STUDENT: RefCell<String> = const { RefCell::new(String::new()) };
}

fn greet() {
    let name = thread::current().name().unwrap_or("unnamed").to_owned();
    STUDENT.with_borrow(|student| println!("Hello, {student} (in {name})"));
}

/// One value for each worker of a pool, of threads or of processes, which its tasks share.
static SEEN: WorkerLocal<Vec<String>> = WorkerLocal::new(Vec::new);

fn enrol(student: String) -> String {
    SEEN.with_mut(|seen| seen.push(student));
    let worker = task::current().map(|context| context.worker().to_owned()).unwrap_or_default();
    SEEN.with(|seen| format!("{worker} has seen {}", seen.join(" and ")))
}

pub fn run() -> Result<(), Error> {
    thread::scope(|scope| {
        for (student, name) in [("Alice", "Thread-A"), ("Bob", "Thread-B")] {
            let thread = thread::Builder::new().name(name.to_owned());
            let started = thread.spawn_scoped(scope, move || {
                STUDENT.set(student.to_owned());
                greet();
            });
            started.expect("the system starts a thread").join().expect("the thread does not panic");
        }
    });
    let school = ThreadPoolExecutor::builder().max_workers(1).name_prefix("school").build()?;
    school.submit(enrol, "Alice".to_owned())?.result(None)?;
    println!("{}", school.submit(enrol, "Bob".to_owned())?.result(None)?);
    Ok(())
}
