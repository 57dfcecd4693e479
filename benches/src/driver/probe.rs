//! Probes that need a process to themselves: what is idle in it, or how much memory it has, is theirs alone.

use std::{
    ffi::OsString,
    process::{Child, Command, Stdio},
};

use crate::Outcome;

/// The option by which this program is told to be such a process.
pub const OPTION: &str = "--apart";

/// A probe that runs.
#[derive(Debug)]
pub struct Apart(Option<Child>);

impl Apart {
    /// Starts this program again, with the words that say which probe it is to be.
    ///
    /// # Errors
    ///
    /// If the system refuses a process.
    pub fn start(words: &[&str]) -> Outcome<Apart> {
        let program = std::env::current_exe()?;
        let child =
            Command::new(program).arg(OPTION).args(words.iter().map(OsString::from)).stdout(Stdio::piped()).spawn()?;
        Ok(Apart(Some(child)))
    }

    /// Waits for its end, and for the number that it prints.
    ///
    /// # Panics
    ///
    /// If it fails, or is asked twice.
    pub fn figure(&mut self) -> f64 {
        let child = self.0.take().expect("asked once");
        let output = child.wait_with_output().expect("it can be waited for");
        let answer = String::from_utf8_lossy(&output.stdout);
        answer.trim().parse().unwrap_or_else(|_| panic!("a probe ended with {} and said {answer:?}", output.status))
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // The only failure is that it is gone already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
