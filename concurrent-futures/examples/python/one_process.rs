//! Python: `Process(target=run_proc, args=('test',))`. Parent and child print their pids; the parent starts the child
//! and joins it.

use std::process;

use concurrent_futures::{Error, multiprocessing::Process};

fn run_proc(name: String) {
    println!("Run child process {name} ({})...", process::id());
}

pub fn run() -> Result<(), Error> {
    println!("Parent process {}.", process::id());
    println!("Child process will start.");
    let child = Process::spawn(run_proc, "test".to_owned())?;
    child.join(None);
    println!("Child process end.");
    // What Python has no answer to: whether the child did what it should.
    child.result(None)
}
