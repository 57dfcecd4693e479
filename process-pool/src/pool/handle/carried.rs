//! The descriptors that a worker has of the handles of its tasks.
//!
//! A descriptor is sent once, however many tasks have its handle: before the first of them, and again after the worker
//! was told to forget it, because the last clone of the handle in this program was dropped.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Weak},
};

use executor_core::codec::handles::{Handle, Handles, HandlesId, Name, Watcher};

use super::backlog::{Gate, Gates};
use crate::{
    frame::{Request, RequestKind, write_names},
    pool::dropped::DroppedHandles,
    transport::descriptors::{self, Channel},
};

/// See the [module](self).
#[derive(Default)]
pub(super) struct Carried {
    /// The channel for descriptors, and who watches the handles whose descriptors were sent. `None` in tests of workers
    /// without a process.
    channel: Option<(Channel, Arc<DroppedHandles>)>,
    /// The names that the worker knows, each with the instance of the handle that was sent.
    known: HashMap<Name, u64>,
    /// A set of handles of which the worker knows each, because the next task often has the same.
    last: Option<HandlesId>,
    /// The names that it must forget, and does not know it yet.
    to_forget: Vec<Name>,
    /// How many messages were sent to it. It can have lost no more.
    messages: u64,
    /// How many descriptors were sent for tasks that have not ended.
    pub(super) fresh: usize,
}

impl Carried {
    pub(super) fn open(&mut self, channel: Channel, dropped: Arc<DroppedHandles>) {
        self.channel = Some((channel, dropped));
    }

    pub(super) fn channel(&self) -> Option<&Channel> {
        self.channel.as_ref().map(|(channel, _)| channel)
    }

    /// Appends the frames that make these handles known to the worker. Returns the messages that must be sent before
    /// them.
    #[cold]
    pub(super) fn announce(&mut self, handles: &Handles, into: &mut Vec<u8>) -> Option<Box<Gates>> {
        let (channel, dropped) = self.channel.as_ref()?;
        // First, so that the worker has as few descriptors as possible.
        self.to_forget.drain(..).collect::<Vec<_>>().chunks(descriptors::MOST).for_each(|names| {
            write_frame(RequestKind::Forget, names.iter().copied(), into);
        });
        if self.last.as_ref().is_some_and(|last| handles.has_id(last)) {
            return None;
        }
        self.last = Some(handles.id());
        let is_new = |handle: &&Handle| self.known.get(&handle.name()) != Some(&handle.instance());
        let fresh: Vec<Handle> = handles.iter().filter(is_new).cloned().collect();
        if fresh.is_empty() {
            return None;
        }
        let mut rest = VecDeque::new();
        for message in fresh.chunks(descriptors::MOST) {
            write_frame(RequestKind::Adopt, message.iter().map(Handle::name), into);
            rest.push_back(Gate { end: into.len(), handles: message.to_vec() });
        }
        for handle in &fresh {
            let watcher: Weak<dyn Watcher> = Arc::downgrade(dropped) as Weak<dyn Watcher>;
            handle.watch(watcher);
            self.known.insert(handle.name(), handle.instance());
        }
        self.messages += rest.len() as u64;
        Some(Box::new(Gates::new(channel.clone(), rest)))
    }

    /// Notes that the last clone of a handle was dropped. Returns `true` if the worker must be told.
    pub(super) fn forget(&mut self, name: Name, instance: u64) -> bool {
        // Another instance of the same name may have been sent since.
        let is_known = self.known.get(&name) == Some(&instance);
        if is_known {
            self.last = None;
            self.known.remove(&name);
            self.to_forget.push(name);
        }
        is_known
    }

    /// Returns `true` if the worker has yet to be told to forget something.
    pub(super) fn must_forget(&self) -> bool {
        !self.to_forget.is_empty()
    }

    /// Returns the frames that tell it.
    pub(super) fn forget_frames(&mut self) -> Vec<u8> {
        let mut frames = Vec::new();
        for names in std::mem::take(&mut self.to_forget).chunks(descriptors::MOST) {
            write_frame(RequestKind::Forget, names.iter().copied(), &mut frames);
        }
        frames
    }

    /// Returns the names that the worker knows.
    pub(super) fn names(&self) -> Vec<Name> {
        self.known.keys().copied().collect()
    }

    /// Notes that the worker could not receive these. Returns `false` if it was not sent as many messages.
    #[must_use]
    pub(super) fn lose(&mut self, names: &[Name]) -> bool {
        let Some(messages) = self.messages.checked_sub(1) else { return false };
        self.messages = messages;
        self.last = None;
        for name in names {
            self.known.remove(name);
        }
        true
    }
}

fn write_frame(kind: RequestKind, names: impl ExactSizeIterator<Item = Name>, into: &mut Vec<u8>) {
    let body = (names.len() * size_of::<Name>()) as u64;
    Request { body, ..Request::bare(kind) }.write(into);
    write_names(names, into);
}
