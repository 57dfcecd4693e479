//! A task as it is published.

use std::sync::Arc;

use executor_core::{Error, Task};

use crate::{
    client::Body,
    link::{ClientLink, LARGE},
    value::{Value, Values},
    wire::{Argument, Submission, too_long},
};

/// A task as it is published: the message, and its argument if that is too large for it.
#[derive(Clone)]
pub(super) struct Message {
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) argument: Option<Arc<Value>>,
    size: usize,
}

impl Message {
    /// Encodes a task, and drops its arguments. That runs user code.
    pub(super) fn encode(task: &Task, link: &dyn ClientLink, values: &Arc<Values>) -> Result<Message, Error> {
        let longest = link.longest_message();
        let mut submission = Submission::of(task)?;
        let bytes = match submission.argument {
            Argument::Here(bytes) if bytes.len() > LARGE.min(longest) && link.largest_value() > 0 => bytes,
            argument => {
                submission.argument = argument;
                let bytes = Arc::new(submission.to_message(task.name(), longest)?);
                let size = bytes.len();
                return Ok(Message { bytes, argument: None, size });
            }
        };
        let largest = link.largest_value();
        if bytes.len() as u64 > largest {
            return Err(too_long(task.name(), bytes.len(), usize::try_from(largest).unwrap_or(usize::MAX)));
        }
        let (value, is_new) = values.intern(bytes);
        let mut reference = value.reference().clone();
        reference.is_shared = !is_new;
        // An argument that others have too travels with the first of them.
        let travels = if is_new { value.bytes().len() } else { 0 };
        submission.argument = Argument::Stored(reference);
        let bytes = Arc::new(submission.to_message(task.name(), longest)?);
        let size = bytes.len() + travels;
        Ok(Message { bytes, argument: Some(value), size })
    }
}

impl Body for Message {
    fn size(&self) -> usize {
        self.size
    }
}
