//! Finding the function of a task that another process submitted.
#![allow(unsafe_code)]

use executor_core::{Error, ErrorKind, function::BuildId, task::Encoded};

use crate::wire::Submission;

/// Returns the function of a task.
///
/// # Errors
///
/// [`ErrorKind::Decode`] if another build has submitted the task, or there is no such function.
pub(super) fn function_of(submission: &Submission) -> Result<Encoded, Error> {
    let own = BuildId::own();
    if submission.build != own {
        return Err(Error::new(
            ErrorKind::Decode,
            format!(
                "a task of build {} reached an agent of build {own}: agents and clients must run the same file",
                submission.build
            ),
        ));
    }
    // SAFETY: the builds are the same, and a client of this build has made the address with `Address::of`: no one else
    // may put tasks into the queue. That process was able to submit the function, so what it captures exists in this
    // program.
    let entry = unsafe { submission.function.resolve() }?;
    Ok(Encoded { entry, batch: submission.items.map(|items| items as usize) })
}
