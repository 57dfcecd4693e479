//! Python: `class Piao(Process)` with a field and a method `run`. Here it is a value that can be sent, and its method
//! is the function of the process.

use concurrent_futures::{Error, multiprocessing::Process};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Piao {
    name: String,
}

impl Piao {
    fn run(self) -> usize {
        println!("{} is piaoing", self.name);
        self.name.len()
    }
}

pub fn run() -> Result<(), Error> {
    let process = Process::spawn(Piao::run, Piao { name: "egon".to_owned() })?;
    process.join(None);
    println!("main, the process returned {}", process.result(None)?);
    Ok(())
}
