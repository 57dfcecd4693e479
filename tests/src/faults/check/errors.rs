//! Checks of errors.

use executor_core::{Error, ErrorKind};

use super::{
    super::{
        Fault,
        strike::PANIC,
        table::{End, Failure},
    },
    ground::PREFIX,
};

/// Checks the error of the victim.
pub(super) fn check(error: &Error, expected: &Failure, fault: Fault, task: &str, pid: u32) -> Result<(), String> {
    let found = check_of_another(error, expected, task, pid);
    let found = found.and_then(|()| has_stderr_line(error, expected, fault));
    found.and_then(|()| names_the_call(error, fault)).map_err(|what| format!("{what}, in {error:?}"))
}

/// Checks the error of a task that ran while the fault happened on another thread. The standard error is not checked,
/// because it may belong to that thread.
pub(super) fn check_of_another(error: &Error, expected: &Failure, task: &str, pid: u32) -> Result<(), String> {
    let found = kind(error, expected.kind)
        .and_then(|()| is_message(error, &expected.message(task, &pid.to_string(), PREFIX)))
        .and_then(|()| has_details(error, expected, task, Some(pid)));
    found.map_err(|what| format!("{what}, in {error:?}"))
}

/// Checks the reason of a broken pool.
pub(super) fn check_reason(error: &Error, expected: &Failure, fault: Fault, starts: &[u32]) -> Result<(), String> {
    let pid = error.worker_death().map(|death| death.pid());
    if pid.is_some_and(|pid| !starts.contains(&pid)) {
        return Err(format!("the workers that started were {starts:?}, in {error:?}"));
    }
    let number = pid.map_or_else(String::new, |pid| pid.to_string());
    let found = kind(error, ErrorKind::Broken)
        .and_then(|()| is_message(error, &expected.reason(&number, PREFIX)))
        .and_then(|()| match expected.kind {
            // The reason contains the text of the panic and is not itself a panic.
            ErrorKind::Panicked => Ok(()),
            _ => has_details(error, expected, "", pid).and_then(|()| has_stderr_line(error, expected, fault)),
        });
    found.map_err(|what| format!("{what}, in {error:?}"))
}

fn kind(error: &Error, expected: ErrorKind) -> Result<(), String> {
    if error.kind() == expected { Ok(()) } else { Err(format!("the kind is not {expected:?}")) }
}

/// Checks the beginning of the message. `…` stands for any text.
fn is_message(error: &Error, expected: &str) -> Result<(), String> {
    let message = error.to_string();
    let mut parts = expected.split('…');
    let mut rest = parts.next().and_then(|first| message.strip_prefix(first));
    for part in parts {
        rest = rest.and_then(|rest| rest.split_once(part)).map(|(_, behind)| behind);
    }
    if rest.is_some() { Ok(()) } else { Err(format!("the message is not {expected:?}")) }
}

/// Checks the details of the error.
fn has_details(error: &Error, expected: &Failure, task: &str, pid: Option<u32>) -> Result<(), String> {
    if expected.kind == ErrorKind::Panicked {
        let panic = error.panic().ok_or("it has no panic")?;
        let is_complete = panic.message() == PANIC
            && panic.location().is_some_and(|location| location.contains("strike.rs"))
            && panic.worker().starts_with(PREFIX);
        return if is_complete { Ok(()) } else { Err(format!("the panic is not complete: {panic:?}")) };
    }
    if expected.end == End::Unknown {
        return Ok(());
    }
    let death = error.worker_death().ok_or("it has no death of a worker")?;
    let is_end = match expected.end {
        End::Unknown => true,
        End::Code(code) => (death.exit_code(), death.signal()) == (Some(code), None),
        End::Signal(signal, _) => (death.exit_code(), death.signal()) == (None, Some(signal)),
    };
    if !is_end || Some(death.pid()) != pid || death.task() != task {
        return Err(format!("the death is not {:?} of worker {pid:?} in task `{task}`", expected.end));
    }
    Ok(())
}

/// Checks that the error has the line that was written to the standard error before the fault.
fn has_stderr_line(error: &Error, expected: &Failure, fault: Fault) -> Result<(), String> {
    if expected.kind == ErrorKind::Panicked || expected.end == End::Unknown {
        return Ok(());
    }
    let death = error.worker_death().ok_or("it has no death of a worker")?;
    let line = fault.stderr_line();
    if !death.stderr_tail().contains(&line) || !error.to_string().contains(&line) {
        return Err(format!("it lacks the line {line:?}"));
    }
    Ok(())
}

/// Checks that the error names the call for which a sandbox has ended the worker.
fn names_the_call(error: &Error, fault: Fault) -> Result<(), String> {
    let call = match fault {
        Fault::Connects => "socket",
        Fault::KillsItsParent => "kill",
        _ => return Ok(()),
    };
    let refused = error.worker_death().and_then(|death| death.refused());
    if refused == Some(call) { Ok(()) } else { Err(format!("the refused call is {refused:?}, and not {call}")) }
}
