//! Reading the pipe of a worker.
//!
//! It is read by the supervisor, and by a thread that has read replies of the worker before it applies them. The worker
//! writes its events before its replies, so the queue has the events of a task when the task ends.

use std::{
    fs::File,
    io::{self, Read as _},
    sync::Arc,
};

use super::{
    super::{
        Pipe,
        wire::{self, HEAD, LONGEST},
    },
    Telemetry,
    queue::Worker,
    shared::Shared,
    span::TaskSpan,
};

/// How many bytes one call reads at most: no more than a pipe holds on Linux without a special right.
const MOST_AT_ONCE: usize = 64 << 10;

/// The reader of a worker's pipe, or nothing if the worker sends no events.
#[derive(Default)]
pub(crate) struct Reader(Option<Box<Open>>);

struct Open {
    pipe: Arc<File>,
    shared: Arc<Shared>,
    worker: Arc<Worker>,
    /// The beginning of a frame.
    rest: Vec<u8>,
    /// Whether the worker has sent what is no frame. What follows is read, so that the worker can write, and dropped.
    is_unreadable: bool,
}

impl Reader {
    pub(crate) fn new(pipe: Option<&Arc<File>>, worker: &str, telemetry: &Telemetry) -> Reader {
        let (Some(pipe), Some(shared)) = (pipe, &telemetry.0) else { return Reader(None) };
        let (pipe, shared, worker) = (pipe.clone(), shared.clone(), Worker::new(worker));
        Reader(Some(Box::new(Open { pipe, shared, worker, rest: Vec::new(), is_unreadable: false })))
    }

    /// Reads what is in the pipe, up to a bound, and adds it to the queue. `find` returns the task
    /// with a sequence number, if the worker has it.
    pub(crate) fn read(&mut self, mut find: impl FnMut(u64) -> Option<Arc<TaskSpan>>) -> Pipe {
        let Some(open) = &mut self.0 else { return Pipe::Closed };
        let mut buffer = [0; 8 << 10];
        let mut bytes = 0;
        while bytes < MOST_AT_ONCE {
            match (&*open.pipe).read(&mut buffer) {
                Ok(0) => return Pipe::Closed,
                Ok(count) => {
                    open.take(&buffer[..count], &mut find);
                    bytes += count;
                    if count < buffer.len() {
                        break;
                    }
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => break,
                Err(_) => return Pipe::Closed,
            }
        }
        if bytes > 0 { Pipe::MayHaveMore } else { Pipe::Empty }
    }

    /// Notes that the worker has ended and everything was read.
    pub(crate) fn finish(&mut self) {
        if let Some(open) = self.0.take() {
            open.shared.queue.push_left_out(&open.worker);
        }
    }
}

impl Open {
    fn take(&mut self, bytes: &[u8], find: &mut impl FnMut(u64) -> Option<Arc<TaskSpan>>) {
        if self.is_unreadable {
            return;
        }
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(bytes);
        let mut rest = all.as_slice();
        while let Some((head, behind)) = rest.split_first_chunk::<HEAD>() {
            let length = u32::from_le_bytes(*head) as usize;
            if length > LONGEST {
                self.is_unreadable = true;
                return self.shared.queue.push_unreadable(&self.worker);
            }
            let Some((frame, behind)) = behind.split_at_checked(length) else { break };
            let task = || wire::sequence_of(frame).and_then(&mut *find);
            self.shared.queue.push(&self.worker, frame, task);
            rest = behind;
        }
        self.rest = rest.to_vec();
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            super::wire::{Callsite, Kind, Writer},
            queue::Item,
        },
        *,
    };

    fn open() -> Open {
        let telemetry = Telemetry::to_caller();
        let shared = telemetry.0.expect("shared");
        let pipe = Arc::new(File::from(crate::sys::pipe::new_pipe().expect("a pipe").0));
        Open { pipe, shared, worker: Worker::new("one"), rest: Vec::new(), is_unreadable: false }
    }

    fn frame(line: u32) -> Vec<u8> {
        let (file, line, module_path) = (None, Some(line), None);
        let site = Callsite { level: 3, name: "event", target: "app", file, line, module_path, fields: Vec::new() };
        Writer::new(Kind::Event, 0, &site, "").finish()
    }

    fn lines(open: &Open) -> Vec<u32> {
        std::iter::from_fn(|| open.shared.queue.next())
            .filter_map(|item| match item {
                Item::Frame { frame, .. } => {
                    let frame = wire::Frame::read(&frame)?;
                    Callsite::read(frame.callsite)?.line
                }
                _ => Some(0),
            })
            .collect()
    }

    #[test]
    fn frames_are_found_wherever_the_reads_end() {
        let stream: Vec<u8> = (1..=20).flat_map(frame).collect();
        for piece in [1, 3, 7, 50, 1000] {
            let mut open = open();
            stream.chunks(piece).for_each(|bytes| open.take(bytes, &mut |_| None));
            assert_eq!(lines(&open), (1..=20).collect::<Vec<_>>(), "pieces of {piece}");
            assert!(open.rest.is_empty());
        }
    }

    #[test]
    fn what_is_no_frame_is_reported_once_and_what_follows_is_dropped() {
        let mut open = open();
        open.take(&frame(1), &mut |_| None);
        open.take(&(LONGEST as u32 + 1).to_le_bytes(), &mut |_| None);
        for _ in 0..1000 {
            open.take(&frame(2), &mut |_| None);
        }
        assert_eq!(lines(&open), [1, 0]);
        assert!(open.rest.is_empty());
    }
}
