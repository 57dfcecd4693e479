//! Descriptors that come with arguments and go with results.

use std::{io, os::fd::OwnedFd, thread, time::Duration};

use executor_core::{
    Error, ErrorKind,
    codec::handles::{self, Handle, Handles, Name},
    confinement,
};

use crate::{
    frame::{Reply, ReplyKind, adopt_in_batch, read_names, write_names},
    pool::MOST_HANDLES,
    transport::{
        Port,
        descriptors::{Channel, MOST, Pulled, Pushed},
    },
};

/// The worker's end of the channel.
pub(super) struct Descriptors(Channel);

/// Where the names of a result's handles are written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// In a frame before the outcome of the task with this number.
    BeforeOutcome(u64),
    /// Before a record of a batch.
    BetweenRecords,
}

impl Descriptors {
    pub(super) fn of(channel: OwnedFd) -> Descriptors {
        Descriptors(Channel::of(channel))
    }

    /// Takes a message with the descriptors of these names, and keeps the handles. The parent is told which could not
    /// be taken, and sends them again with the next task that needs them.
    #[cold]
    pub(super) fn adopt(&self, names: &[u8], port: &mut dyn Port) -> io::Result<()> {
        let names = read_names(names).ok_or(io::ErrorKind::InvalidData)?;
        let (files, has_lost) = match self.0.pull_blocking(names.len())? {
            Pulled::All(files) => (files, false),
            Pulled::Some(files) => (files, true),
        };
        let count = files.len();
        for (name, file) in names.iter().zip(files) {
            handles::adopt(Handle::received(*name, file));
        }
        if has_lost {
            let lost = &names[count..];
            lost.iter().for_each(|name| handles::lose(*name));
            write(port, Reply { kind: ReplyKind::Lost, sequence: 0, body: 0 }, lost.iter().copied())?;
            port.ring_doorbell()?;
        }
        Ok(())
    }

    /// Sends the descriptors of a result. Returns the error that replaces the result if that is not possible.
    #[cold]
    pub(super) fn send(&self, handles: &Handles, port: &mut dyn Port, place: Place) -> io::Result<Result<(), Error>> {
        if confinement::is_confined() {
            return Ok(Err(confinement::refused("return a value that needs a descriptor")));
        }
        if handles.len() > MOST_HANDLES {
            return Ok(Err(Error::new(
                ErrorKind::Encode,
                format!(
                    "the result has {} handles, and at most {MOST_HANDLES} can be sent: return fewer",
                    handles.len()
                ),
            )));
        }
        let handles: Vec<&Handle> = handles.iter().collect();
        for message in handles.chunks(MOST) {
            // The parent takes earlier messages when it reads the frames that announce them.
            port.ring_doorbell()?;
            if let Err(error) = self.push(message)? {
                return Ok(Err(error));
            }
            let names = message.iter().map(|handle| handle.name());
            match place {
                Place::BeforeOutcome(sequence) => {
                    write(port, Reply { kind: ReplyKind::Adopt, sequence, body: 0 }, names)?;
                }
                Place::BetweenRecords => {
                    let mut bytes = Vec::new();
                    write_names(names, &mut bytes);
                    port.write(&adopt_in_batch(message.len()), &bytes)?;
                }
            }
        }
        Ok(Ok(()))
    }

    fn push(&self, message: &[&Handle]) -> io::Result<Result<(), Error>> {
        use std::os::fd::AsFd;
        /// Nothing reports that this user has fewer descriptors on their way, so this thread tries so often.
        const TRIES: u32 = 1000;
        const PAUSE: Duration = Duration::from_millis(1);
        let descriptors: Vec<_> = message.iter().map(AsFd::as_fd).collect();
        for _ in 0..TRIES {
            match self.0.push_blocking(&descriptors)? {
                Pushed::Yes => return Ok(Ok(())),
                Pushed::Full | Pushed::TooMany => thread::sleep(PAUSE),
            }
        }
        Ok(Err(Error::new(
            ErrorKind::Encode,
            "the descriptors of the result could not be sent, because this user has too many on their way: raise the \
             limit of descriptors (`ulimit -n`)",
        )))
    }
}

/// Lets go of the handles with these names.
#[cold]
pub(super) fn forget(names: &[u8]) -> io::Result<()> {
    let names = read_names(names).ok_or(io::ErrorKind::InvalidData)?;
    names.iter().for_each(|name| handles::forget(*name));
    Ok(())
}

fn write(port: &mut dyn Port, head: Reply, names: impl Iterator<Item = Name>) -> io::Result<()> {
    let mut body = Vec::new();
    write_names(names, &mut body);
    port.write(&Reply { body: body.len() as u64, ..head }.to_bytes(), &body)
}
