//! Python: ten `Process`es look at the number of tickets in a JSON file and buy one if there is any, under one `Lock`.

use std::{env, fs, io, path::PathBuf, process};

use concurrent_futures::{
    Error, ErrorKind,
    multiprocessing::{Lock, Process},
};

fn io(error: io::Error) -> Error {
    Error::new(ErrorKind::Other, error.to_string())
}

fn count(file: &PathBuf) -> Result<u32, Error> {
    let text = fs::read_to_string(file).map_err(io)?;
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    digits.parse().map_err(|_| Error::new(ErrorKind::Other, "the file has no number"))
}

fn buy((buyer, lock, file): (u32, Lock, PathBuf)) -> Result<bool, Error> {
    let _held = lock.lock()?;
    let left = count(&file)?;
    if left == 0 {
        println!("buyer {buyer}: no ticket left");
        return Ok(false);
    }
    fs::write(&file, format!(r#"{{"count": {}}}"#, left - 1)).map_err(io)?;
    println!("buyer {buyer}: bought a ticket");
    Ok(true)
}

pub fn run() -> Result<(), Error> {
    let file = env::temp_dir().join(format!("tickets-{}.json", process::id()));
    fs::write(&file, r#"{"count": 3}"#).map_err(io)?;
    let lock = Lock::new()?;
    let buyers = (0..10).map(|buyer| Process::spawn(buy, (buyer, lock.clone(), file.clone())));
    let buyers = buyers.collect::<Result<Vec<_>, _>>()?;
    let mut bought = 0;
    for buyer in buyers {
        bought += u32::from(buyer.result(None)??);
    }
    println!("{bought} tickets were sold, {} are left", count(&file)?);
    fs::remove_file(&file).map_err(io)
}
