//! Python: a `Process` has a name, given in `__init__`, and a pid; the child sees them in `current_process()`.

use concurrent_futures::{
    Error,
    multiprocessing::{Process, current_process},
};

fn who(_: ()) -> (String, u32) {
    let own = current_process();
    println!("in the child: {} {}", own.name(), own.pid());
    (own.name().to_owned(), own.pid())
}

pub fn run() -> Result<(), Error> {
    let process = Process::builder().name("egon's process").spawn(who, ())?;
    println!("in the parent: {} {}", process.name(), process.pid());
    let (name, pid) = process.result(None)?;
    println!("the same: {}", name == process.name() && pid == process.pid());
    Ok(())
}
