//! Running a task as another process would: on its encoded argument, and with an encoded result.

use super::{Task, current, work::Encoded};
use crate::{
    Error, ErrorKind,
    codec::handles,
    function::{batch, outcome},
    running::run_as,
};

impl Task {
    /// Runs the task and then its callbacks on this thread, unless the task was cancelled. Its argument and its result
    /// are encoded and decoded in between, so what would fail in another process fails here.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`encode`](Task::encode). The task did not run then, and its future is not done.
    pub(crate) fn run_encoded(self) -> Result<(), Error> {
        let mut argument = Vec::new();
        // Until the function has returned, the handles live, so that decoding the argument finds them.
        let (encoded, _handles) = handles::collect(|| self.encode(&mut argument));
        let encoded = encoded?;
        if self.begin() {
            let (reply, handles) = handles::collect_results(|| run_as(&self.task, || call(encoded, &mut argument)));
            drop(self.complete_with(reply, handles));
        }
        Ok(())
    }
}

/// Calls the function on the argument, or on each item of a batch, and returns the reply.
pub(super) fn call(encoded: Encoded, argument: &mut Vec<u8>) -> Vec<u8> {
    let mut reply = Vec::new();
    let Some(items) = encoded.batch else {
        encoded.entry.call_taking(argument, &mut reply);
        return reply;
    };
    let mut open = items;
    let context = current();
    let mut arguments = batch::records(argument);
    encoded.entry.call_each(&mut arguments, &mut |record| {
        reply.extend_from_slice(record);
        open = open.saturating_sub(1);
        !context.as_ref().is_some_and(|context| context.is_cancelled())
    });
    for _ in 0..open {
        let error = Error::new(ErrorKind::Cancelled, "the map that this item belongs to was dropped");
        batch::write_record(&mut reply, |outcome| outcome::write_error(&error, outcome));
    }
    outcome::close_value(&mut reply);
    reply
}
