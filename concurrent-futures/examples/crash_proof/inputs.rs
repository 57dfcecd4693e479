//! A directory of good files with hostile ones among them.

use std::fs;
use std::io;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::traps::Trap;

const GOOD_FILES: usize = 40;

/// The files. Dropping this removes them.
#[derive(Debug)]
pub struct Inputs {
    directory: TempDir,
    /// The names of the hostile files below [`Inputs::all`], and the trap in each, in walk order.
    pub files: Vec<(String, Option<Trap>)>,
}

impl Inputs {
    pub fn create() -> io::Result<Inputs> {
        let directory = tempfile::Builder::new().prefix("crash-proof-").tempdir()?;
        let mut inputs = Inputs { directory, files: Vec::new() };
        fs::create_dir(inputs.good())?;
        fs::create_dir(inputs.all())?;

        // Each hostile file is between good files, so that a crash could affect the tasks of its neighbours.
        let good_between_traps = GOOD_FILES / (Trap::ALL.len() + 1);
        let mut traps = Trap::ALL.into_iter();
        for number in 1..=GOOD_FILES {
            inputs.add_good(number)?;
            if number % good_between_traps == 0 {
                if let Some(trap) = traps.next() {
                    inputs.add_hostile(number, trap)?;
                }
            }
        }
        // The census walks in the order of the names.
        inputs.files.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        Ok(inputs)
    }

    /// Returns the directory that has only the good files.
    pub fn good(&self) -> PathBuf {
        self.directory.path().join("good")
    }

    /// Returns the directory that has all files.
    pub fn all(&self) -> PathBuf {
        self.directory.path().join("all")
    }

    /// Writes another small program for each number, so that no two files have the same digest or counts.
    fn add_good(&mut self, number: usize) -> io::Result<()> {
        let name = format!("{number:02}-good.rs");
        let functions = (0..number * 10).map(|n| format!("fn f{n}(x: u64) -> u64 {{\n    x * {number} + {n}\n}}\n"));
        let source: String = functions.collect();
        fs::write(self.good().join(&name), &source)?;
        fs::write(self.all().join(&name), &source)?;
        self.files.push((name, None));
        Ok(())
    }

    fn add_hostile(&mut self, number: usize, trap: Trap) -> io::Result<()> {
        let name = format!("{number:02}-hostile-{trap:?}.rs");
        fs::write(self.all().join(&name), format!("{}\nfn main() {{}}\n", trap.marker()))?;
        self.files.push((name, Some(trap)));
        Ok(())
    }
}
