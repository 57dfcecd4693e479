//! Probes: figures of a whole process, such as its processor time or its memory.

use std::{
    ffi::OsString,
    process::{Child, Command, Stdio},
};

use crate::Outcome;

/// The option that makes this program a probe.
pub const OPTION: &str = "--probe";

/// A running probe.
#[derive(Debug)]
pub struct Probe(Option<Child>);

impl Probe {
    /// Starts this program again as the probe that `arguments` name.
    ///
    /// # Errors
    ///
    /// If the system refuses a process.
    pub fn start(arguments: &[&str]) -> Outcome<Probe> {
        let program = std::env::current_exe()?;
        let arguments = arguments.iter().map(OsString::from);
        let child = Command::new(program).arg(OPTION).args(arguments).stdout(Stdio::piped()).spawn()?;
        Ok(Probe(Some(child)))
    }

    /// Waits until the probe ends, and returns the number that it printed.
    ///
    /// # Panics
    ///
    /// If the probe fails, or if this is called twice.
    pub fn figure(&mut self) -> f64 {
        let child = self.0.take().expect("called once");
        let output = child.wait_with_output().expect("it can be waited for");
        let printed = String::from_utf8_lossy(&output.stdout);
        printed
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("a probe ended with {} and printed {printed:?}", output.status))
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It fails only if the process has ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
