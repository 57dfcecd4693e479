//! Looking at errors.

use executor_core::{Error, ErrorKind};

use super::{
    super::{
        Fault,
        strike::PANIC,
        table::{End, Failure},
    },
    ground::PREFIX,
};

/// Looks whether the error of the task that met the fault says what it should.
pub(super) fn check(error: &Error, expected: &Failure, fault: Fault, task: &str, pid: u32) -> Result<(), String> {
    let found = check_of_another(error, expected, task, pid);
    found.and_then(|()| has_last_words(error, expected, fault).map_err(|what| format!("{what}, in {error:?}")))
}

/// Looks whether the error of a task says what it should that ran when another one's thread met the fault, or the
/// worker did: what that has written is not the task's.
pub(super) fn check_of_another(error: &Error, expected: &Failure, task: &str, pid: u32) -> Result<(), String> {
    let found = kind(error, expected.kind)
        .and_then(|()| is_message(error, &expected.message(task, &pid.to_string(), PREFIX)))
        .and_then(|()| has_details(error, expected, task, Some(pid)));
    found.map_err(|what| format!("{what}, in {error:?}"))
}

/// Looks whether the reason of a broken pool says what it should.
pub(super) fn check_reason(error: &Error, expected: &Failure, fault: Fault, starts: &[u32]) -> Result<(), String> {
    let pid = error.worker_death().map(|death| death.pid());
    if pid.is_some_and(|pid| !starts.contains(&pid)) {
        return Err(format!("the workers that started were {starts:?}, in {error:?}"));
    }
    let number = pid.map_or_else(String::new, |pid| pid.to_string());
    let found = kind(error, ErrorKind::Broken)
        .and_then(|()| is_message(error, &expected.reason(&number, PREFIX)))
        .and_then(|()| match expected.kind {
            // A panic's place in the code is in the words of the reason; the reason is no panic itself.
            ErrorKind::Panicked => Ok(()),
            _ => has_details(error, expected, "", pid).and_then(|()| has_last_words(error, expected, fault)),
        });
    found.map_err(|what| format!("{what}, in {error:?}"))
}

fn kind(error: &Error, expected: ErrorKind) -> Result<(), String> {
    if error.kind() == expected { Ok(()) } else { Err(format!("the kind is not {expected:?}")) }
}

/// Looks whether the message begins as it should, with anything where there is `…`.
fn is_message(error: &Error, expected: &str) -> Result<(), String> {
    let message = error.to_string();
    let mut parts = expected.split('…');
    let mut rest = parts.next().and_then(|first| message.strip_prefix(first));
    for part in parts {
        rest = rest.and_then(|rest| rest.split_once(part)).map(|(_, behind)| behind);
    }
    if rest.is_some() { Ok(()) } else { Err(format!("the message is not {expected:?}")) }
}

/// Looks at the details behind the message.
fn has_details(error: &Error, expected: &Failure, task: &str, pid: Option<u32>) -> Result<(), String> {
    if expected.kind == ErrorKind::Panicked {
        let panic = error.panic().ok_or("it has no panic")?;
        let is_whole = panic.message() == PANIC
            && panic.location().is_some_and(|location| location.contains("strike.rs"))
            && panic.worker().starts_with(PREFIX);
        return if is_whole { Ok(()) } else { Err(format!("the panic is not whole: {panic:?}")) };
    }
    if expected.end == End::Untold {
        return Ok(());
    }
    let death = error.worker_death().ok_or("it has no death of a worker")?;
    let is_end = match expected.end {
        End::Untold => true,
        End::Code(code) => (death.exit_code(), death.signal()) == (Some(code), None),
        End::Signal(signal, _) => (death.exit_code(), death.signal()) == (None, Some(signal)),
    };
    if !is_end || Some(death.pid()) != pid || death.task() != task {
        return Err(format!("the death is not {:?} of worker {pid:?} in task `{task}`", expected.end));
    }
    Ok(())
}

/// Looks for what was written to the standard error before the fault.
fn has_last_words(error: &Error, expected: &Failure, fault: Fault) -> Result<(), String> {
    if expected.kind == ErrorKind::Panicked || expected.end == End::Untold {
        return Ok(());
    }
    let death = error.worker_death().ok_or("it has no death of a worker")?;
    let last_words = fault.last_words();
    if !death.stderr_tail().contains(&last_words) || !error.to_string().contains(&last_words) {
        return Err(format!("it lacks the last words {last_words:?}"));
    }
    Ok(())
}
