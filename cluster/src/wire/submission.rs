//! A task as it waits in the engine's queue.

use std::time::Duration;

use executor_core::{
    Error, ErrorKind, Task, TaskId,
    codec::Bytes,
    function::{Address, BuildId},
};

use super::{Malformed, Reference, VERSION, reader::Reader};

/// A task as it waits in the engine's queue: what an agent needs to run it.
///
/// How often it may run, and which attempt is next, is not part of it. The client decides that with each grant, so that
/// all copies of a task in the queue are equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The build of the program that submitted it. Addresses of functions mean nothing in another one.
    pub build: BuildId,
    /// The number of the task in its client.
    pub task: TaskId,
    /// The function.
    pub function: Address,
    /// The number of items, if the argument is a batch.
    pub items: Option<u32>,
    /// How long one run may take.
    pub time_limit: Option<Duration>,
    /// Of the tasks that one agent has, those of a higher priority start first.
    pub priority: i32,
    /// The name that the task was given.
    pub name: Option<String>,
    /// The encoded argument, or the records of a batch.
    pub argument: Argument,
}

/// The argument of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// It is here.
    Here(Bytes),
    /// It is too large for a message, and in the store of the client's user.
    Stored(Reference),
}

const HERE: u8 = 0;
const STORED: u8 = 1;

const NONE: u32 = u32::MAX;
const NO_LIMIT: u64 = u64::MAX;
/// The length of a name that there is not.
const NO_NAME: u16 = u16::MAX;

impl Submission {
    /// Encodes a task for the queue, and drops its arguments.
    ///
    /// # Errors
    ///
    /// The errors of [`Task::encode`] and [`Address::of`].
    pub fn of(task: &Task) -> Result<Submission, Error> {
        let mut argument = Vec::new();
        let encoded = task.encode(&mut argument)?;
        Ok(Submission {
            build: BuildId::own(),
            task: task.id(),
            function: Address::of(encoded.entry)?,
            items: encoded.batch.map(|items| u32::try_from(items).unwrap_or(NONE)),
            time_limit: task.time_limit(),
            priority: task.priority(),
            name: task.custom_name().map(str::to_string),
            argument: Argument::Here(argument.into()),
        })
    }

    /// Returns the bytes of the message, unless they are more than `longest`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Encode`] if the message is too long. `name` is the name of the task.
    pub fn to_message(&self, name: &str, longest: usize) -> Result<Vec<u8>, Error> {
        let argument = match &self.argument {
            Argument::Here(argument) => argument.len(),
            Argument::Stored(_) => 0,
        };
        let mut bytes = Vec::with_capacity(argument + 128);
        self.write(&mut bytes);
        if bytes.len() > longest {
            return Err(too_long(name, bytes.len(), longest));
        }
        Ok(bytes)
    }

    /// Appends the bytes. A name is cut to 1000 bytes, because errors show it and nothing else needs it.
    pub fn write(&self, into: &mut Vec<u8>) {
        into.push(VERSION);
        into.extend_from_slice(self.build.as_bytes());
        into.extend_from_slice(&self.task.as_u64().to_le_bytes());
        into.extend_from_slice(&self.function.offset.to_le_bytes());
        into.extend_from_slice(&self.function.fingerprint.to_le_bytes());
        into.extend_from_slice(&self.items.unwrap_or(NONE).to_le_bytes());
        let limit = self
            .time_limit
            .map_or(NO_LIMIT, |limit| u64::try_from(limit.as_nanos()).unwrap_or(NO_LIMIT).min(NO_LIMIT - 1));
        into.extend_from_slice(&limit.to_le_bytes());
        into.extend_from_slice(&self.priority.to_le_bytes());
        match self.name.as_deref().map(|name| beginning(name, 1000)) {
            Some(name) => {
                into.extend_from_slice(&(name.len() as u16).to_le_bytes());
                into.extend_from_slice(name.as_bytes());
            }
            None => into.extend_from_slice(&NO_NAME.to_le_bytes()),
        }
        match &self.argument {
            Argument::Here(argument) => {
                into.push(HERE);
                into.extend_from_slice(argument);
            }
            Argument::Stored(reference) => {
                into.push(STORED);
                reference.write(into);
            }
        }
    }

    /// Reads a task from the queue.
    ///
    /// # Errors
    ///
    /// If any byte is not as it should be. The function and the argument are not looked at.
    pub fn read(bytes: &[u8]) -> Result<Submission, Malformed> {
        let mut reader = Reader::new(bytes);
        match reader.u8()? {
            VERSION => {}
            version => return Err(Malformed::Version(version)),
        }
        let build = BuildId::from_bytes(reader.array()?);
        let task = TaskId::from_u64(reader.u64()?);
        let function = Address { offset: reader.array().map(i64::from_le_bytes)?, fingerprint: reader.u64()? };
        let items = Some(reader.u32()?).filter(|items| *items != NONE);
        let time_limit = Some(reader.u64()?).filter(|limit| *limit != NO_LIMIT).map(Duration::from_nanos);
        let priority = reader.array().map(i32::from_le_bytes)?;
        let name = match reader.u16()? {
            NO_NAME => None,
            length => {
                let name = std::str::from_utf8(reader.bytes(length as usize)?).map_err(|_| Malformed::Field("name"))?;
                Some(name.to_string())
            }
        };
        let argument = match reader.u8()? {
            HERE => Argument::Here(reader.rest().into()),
            STORED => {
                let reference = Reference::read(&mut reader)?;
                if !reader.is_empty() {
                    return Err(Malformed::Field("argument"));
                }
                Argument::Stored(reference)
            }
            _ => return Err(Malformed::Field("argument")),
        };
        Ok(Submission { build, task, function, items, time_limit, priority, name, argument })
    }
}

/// Returns the error of a task that has too many bytes.
pub(crate) fn too_long(name: &str, bytes: usize, most: usize) -> Error {
    let message = format!(
        "task `{name}` has {bytes} bytes, more than the {most} that a cluster carries: pass the name of a file that all \
         machines can read, or smaller chunks"
    );
    Error::new(ErrorKind::Encode, message)
}

/// Returns the beginning of a text, at most this many bytes of it.
fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use executor_core::{
        Backend, Executor, InlineExecutor, Shutdown, TaskOptions,
        function::entry_of,
        task::{Encoded, Origin},
    };
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::wire::LONGEST_MESSAGE;

    prop_compose! {
        fn submissions()(
            (build, task, offset, fingerprint) in any::<([u8; 20], u64, i64, u64)>(),
            items in prop::option::of(0..NONE),
            limit in prop::option::of(0..NO_LIMIT),
            priority in any::<i32>(),
            name in prop::option::of(".{0,20}"),
            argument in vec(any::<u8>(), 0..50),
            stored in prop::option::of(("[a-z0-9.-]{1,20}", any::<u64>(), any::<bool>())),
        ) -> Submission {
            let (build, task) = (BuildId::from_bytes(build), TaskId::from_u64(task));
            let function = Address { offset, fingerprint };
            let time_limit = limit.map(Duration::from_nanos);
            let argument = match stored {
                None => Argument::Here(argument.into()),
                Some((name, length, is_shared)) => Argument::Stored(Reference { name, length, is_shared }),
            };
            Submission { build, task, function, items, time_limit, priority, name, argument }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_submission_arrives_as_it_was_sent_or_is_cut_short(submission in submissions(), at in any::<u16>()) {
            let mut bytes = Vec::new();
            submission.write(&mut bytes);
            prop_assert_eq!(Submission::read(&bytes), Ok(submission.clone()));
            let argument = match &submission.argument {
                Argument::Here(argument) => argument.len(),
                Argument::Stored(_) => 0,
            };
            let head = bytes.len() - argument;
            prop_assert_eq!(Submission::read(&bytes[..at as usize % head]), Err(Malformed::CutShort));
        }

        #[test]
        fn any_bytes_are_a_submission_or_refused(mut bytes in vec(any::<u8>(), 0..200)) {
            let _ = Submission::read(&bytes);
            bytes.insert(0, VERSION);
            if let Ok(submission) = Submission::read(&bytes) {
                let mut again = Vec::new();
                submission.write(&mut again);
                prop_assert_eq!(again, bytes);
            }
        }
    }

    #[test]
    fn a_task_becomes_a_submission_that_another_process_can_run() {
        struct Remote;
        impl Backend for Remote {
            fn schedule(&self, task: Task) -> Result<(), Error> {
                let message = Submission::of(&task)?.to_message(task.name(), LONGEST_MESSAGE)?;
                let submission = Submission::read(&message)?;
                assert_eq!((submission.task, submission.build), (task.id(), BuildId::own()));
                assert_eq!((submission.name.as_deref(), submission.priority), (Some("double"), -3));
                assert_eq!(submission.time_limit, Some(Duration::from_secs(5)));
                let entry = entry_of(double);
                // The compiler may have made the entry twice, but both call the same function.
                assert_eq!(submission.function.fingerprint, Address::of(entry)?.fingerprint);
                let origin = Origin { task: submission.task, attempt: 1 };
                let function = Encoded { entry, batch: submission.items.map(|items| items as usize) };
                let options = TaskOptions::new();
                let Argument::Here(argument) = submission.argument else { panic!("it is short") };
                let (forwarded, reply) = Task::forwarded(options, origin, function, argument)?;
                InlineExecutor::new().schedule(forwarded)?;
                assert!(task.begin());
                drop(task.complete(reply.result(None)?.into_bytes()));
                Ok(())
            }
            fn close(&self, _: Shutdown) {}
            fn join(&self, _: Option<Duration>) -> bool {
                true
            }
            fn max_workers(&self) -> usize {
                1
            }
        }
        fn double(n: u64) -> u64 {
            n * 2
        }
        let options = TaskOptions::new().name("double").priority(-3).time_limit(Duration::from_secs(5));
        assert_eq!(Remote.submit_with(options, double, 21).expect("sent").result(None).expect("a value"), 42);
    }

    #[test]
    fn a_task_that_is_too_long_is_refused_with_its_length_and_what_to_do() {
        struct Encodes;
        impl Backend for Encodes {
            fn schedule(&self, task: Task) -> Result<(), Error> {
                Submission::of(&task)?.to_message(task.name(), 1000).map(drop)
            }
            fn close(&self, _: Shutdown) {}
            fn join(&self, _: Option<Duration>) -> bool {
                true
            }
            fn max_workers(&self) -> usize {
                1
            }
        }
        let error = Encodes.submit(|bytes: Vec<u8>| bytes.len(), vec![0; 1000]).expect_err("too long");
        assert_eq!(error.kind(), ErrorKind::Encode);
        assert!(error.to_string().contains("name of a file"), "{error}");
    }

    #[test]
    fn a_name_is_cut_between_characters() {
        assert_eq!(beginning("aé", 2), "a");
        assert_eq!(beginning("aé", 3), "aé");
        assert_eq!(beginning("", 3), "");
    }
}
