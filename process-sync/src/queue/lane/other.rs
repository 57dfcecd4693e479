//! The lane inside of one process: the handles themselves.

use std::{collections::VecDeque, io, sync::Arc};

use executor_core::codec::handles::{Handle, Handles, Name};
use parking_lot::Mutex;

use super::Sent;
use crate::sys::File;

/// The handles of items, in the order in which those were put.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) front: File,
    pub(crate) back: File,
    packets: Arc<Mutex<VecDeque<(u64, Handles)>>>,
}

impl Lane {
    pub(crate) fn new() -> io::Result<Lane> {
        Ok(Lane { front: File, back: File, packets: Arc::default() })
    }

    pub(crate) fn received(front: File, back: File) -> Lane {
        Lane { front, back, packets: Arc::default() }
    }

    pub(crate) fn send(&self, ticket: u64, handles: &Handles) -> io::Result<Sent> {
        self.packets.lock().push_back((ticket, handles.clone()));
        Ok(Sent::Yes)
    }

    pub(crate) fn look(&self, ticket: u64, _: &[Name]) -> io::Result<Vec<Handle>> {
        let mut packets = self.packets.lock();
        while packets.front().is_some_and(|(found, _)| *found != ticket) {
            packets.pop_front();
        }
        let (_, handles) = packets.front().ok_or(io::ErrorKind::InvalidData)?;
        Ok(handles.iter().cloned().collect())
    }

    pub(crate) fn remove(&self) -> bool {
        self.packets.lock().pop_front().is_some()
    }
}
