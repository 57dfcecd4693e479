//! Python: `Pipe()` has two ends that send and receive, `Pipe(duplex=False)` one of each. A child sends through its end
//! and closes it; the parent receives until `EOFError`.

use concurrent_futures::{
    Error, ErrorKind, Executor, ProcessPoolExecutor,
    multiprocessing::{Connection, Sender, pipe, pipe_simplex},
};

fn answer(end: Connection<String, u64>) -> Result<(), Error> {
    let n = end.recv(None)?;
    end.send(format!("{n} squared is {}", n * n))
}

fn count(end: Sender<u64>) -> Result<(), Error> {
    (1..=3).try_for_each(|n| end.send(n))
}

pub fn run() -> Result<(), Error> {
    let pool = ProcessPoolExecutor::new(1)?;
    let (parent, child) = pipe::<u64, String>()?;
    let child = pool.submit(answer, child)?;
    parent.send(12)?;
    println!("{}", parent.recv(None)?);
    child.result(None)??;

    let (receiver, sender) = pipe_simplex()?;
    let child = pool.submit(count, sender)?;
    loop {
        match receiver.recv(None) {
            Ok(n) => println!("received {n}"),
            Err(error) if error.kind() == ErrorKind::Closed => break println!("end of file"),
            Err(error) => return Err(error),
        }
    }
    child.result(None)?
}
