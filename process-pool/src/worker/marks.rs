//! Marks in the output of this worker where a task begins and ends, if the parent hands over its lines.
//!
//! They are written to copies of the streams, because a task may replace a stream.

use std::{
    fs::File,
    io::{self, Write as _},
};

use crate::{lines, start::setup, sys::standard};

/// See the [module](self).
pub(super) struct Marks {
    beginning: Vec<u8>,
    streams: Vec<File>,
}

impl Marks {
    /// Returns what writes marks to these streams, or `None` if the parent wants none. `token` is the worker's.
    pub(super) fn to(streams: setup::Marks, token: u64) -> io::Result<Option<Marks>> {
        let mut marks = Marks { beginning: lines::mark_of(token), streams: Vec::new() };
        if streams.stdout {
            marks.streams.push(standard::copy_of_stdout()?.into());
        }
        if streams.stderr {
            marks.streams.push(standard::copy_of_stderr()?.into());
        }
        Ok(if marks.streams.is_empty() { None } else { Some(marks) })
    }

    /// Marks the beginning of a task.
    pub(super) fn begin(&mut self, task: u64, name: &str) {
        self.write(&lines::mark(&self.beginning, task, name));
    }

    /// Marks the end of a task, after everything that it has printed.
    pub(super) fn end(&mut self) {
        // An error means that a task has closed the stream.
        let _ = io::stdout().flush();
        self.write(&lines::mark(&self.beginning, 0, ""));
    }

    fn write(&mut self, mark: &[u8]) {
        for stream in &mut self.streams {
            // A mark is short, so the pipe takes it as a whole. An error means that the parent is gone.
            let _ = stream.write_all(mark);
        }
    }
}
