//! Python: a list of `Process`es of one function with different arguments; all are started, and then all are joined.

use concurrent_futures::{Error, multiprocessing::Process};

fn piao(name: String) {
    println!("{name} piaoing");
    println!("{name} piao end");
}

pub fn run() -> Result<(), Error> {
    let processes = ["egon", "alex", "wupeiqi", "yuanhao"]
        .map(|name| Process::spawn(piao, name.to_owned()))
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    println!("main");
    processes.iter().try_for_each(|process| {
        process.join(None);
        process.result(None)
    })
}
