//! How a kind of work has ended, in a form that can be compared.

use std::time::Duration;

use concurrent_futures::{Backend, Error, Executor, Function, Payload, ProcessPoolExecutor, Shutdown};

/// Far longer than anything takes on the busiest machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it did what the program wanted, even if that was a crash.
    pub is_expected: bool,
    pub text: String,
    /// The modes in which another text is right, with that text.
    pub exceptions: Vec<(&'static str, String)>,
}

impl Outcome {
    /// Returns what is wrong in a mode, if anything.
    pub fn differs(&self, wanted: &Outcome, mode: &str) -> Option<String> {
        if !self.is_expected {
            return Some(self.text.clone());
        }
        let exception = self.exceptions.iter().find(|(name, _)| *name == mode);
        let wanted = exception.map_or(&wanted.text, |(_, text)| text);
        (self.text != *wanted).then(|| format!("it was {:?}, and without a sandbox {wanted:?}", self.text))
    }
}

/// Runs a task that succeeds.
pub fn of_success<A: Payload>(pool: &ProcessPoolExecutor, function: impl Function<A, String>, argument: A) -> Outcome {
    let result = pool.submit(function, argument).and_then(|future| future.result(DEADLINE));
    match result {
        Ok(text) => Outcome { is_expected: true, text, exceptions: Vec::new() },
        Err(error) => Outcome { is_expected: false, text: error.to_string(), exceptions: Vec::new() },
    }
}

/// Runs a task that fails, and looks for a part of its error.
pub fn of_failure(pool: &ProcessPoolExecutor, function: impl Function<(), String>, part: &str) -> Outcome {
    match pool.submit(function, ()).and_then(|future| future.result(DEADLINE)) {
        Ok(text) => Outcome { is_expected: false, text: format!("it returned {text:?}"), exceptions: Vec::new() },
        Err(error) => of_error(&error, part),
    }
}

/// Returns the outcome for an error that must have this part.
pub fn of_error(error: &Error, part: &str) -> Outcome {
    let text = without_numbers(&error.to_string());
    let death = error.worker_death().map(|death| (death.exit_code(), death.signal()));
    let is_expected = text.contains(part);
    Outcome { is_expected, text: format!("{:?} {death:?} {text}", error.kind()), exceptions: Vec::new() }
}

/// Shuts a pool down.
pub fn of_shutdown(pool: ProcessPoolExecutor) -> Outcome {
    pool.close(Shutdown::Drain);
    let has_ended = pool.join(Some(DEADLINE));
    Outcome { is_expected: has_ended, text: format!("it has ended: {has_ended}"), exceptions: Vec::new() }
}

/// Returns a text without process ids and the like.
fn without_numbers(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        match character {
            '0'..='9' if shown.ends_with('#') => {}
            '0'..='9' => shown.push('#'),
            other => shown.push(other),
        }
    }
    shown
}
