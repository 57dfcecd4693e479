//! Descriptors that travel with values: a queue, a lock or shared memory is an open file, and a process that receives
//! one needs a descriptor of that file.
//!
//! A [`Handle`] is a descriptor with a name. Its bytes are the name alone: `Serialize` writes the name and
//! [attaches](attach) the handle to the value that is being encoded, and `Deserialize` [finds](find) the handle by its
//! name. The code that carries the bytes also carries the handles. It encodes inside [`collect`], which returns what
//! was attached, and sends the descriptors ahead of the bytes; the receiving process [adopts](adopt) them before it
//! decodes. Ordinary values cost nothing more. The kernel counts the references to each file, so nothing has a name in
//! the file system, and nothing is left behind, whatever process dies.
//!
//! Where nothing collects, `attach` fails, so a handle that is given to any other format or back-end is an error of
//! `Serialize`, with a reason. In-process back-ends never encode, so handles reach their tasks as any value does.
//!
//! ```
//! # mod concurrent_futures { pub use executor_core::*; pub mod backend { pub use executor_core::*; } }
//! # #[cfg(unix)] {
//! use concurrent_futures::backend::codec::{self, handles::{self, Handle}};
//!
//! let (_reader, writer) = std::os::unix::net::UnixStream::pair()?;
//! let handle = Handle::new(writer.into());
//! let mut bytes = Vec::new();
//! let (encoded, attached) = handles::collect(|| codec::encode(&handle, &mut bytes));
//! encoded?;
//! assert_eq!(attached.iter().next(), Some(&handle));
//! // Another process would receive `attached` and then the bytes. While a handle lives, its name finds it.
//! assert_eq!(codec::decode::<Handle>(&bytes)?, handle);
//! // Nothing collects here, so there would be no descriptor with the bytes.
//! assert!(codec::encode(&handle, &mut bytes).is_err());
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! On systems other than Unix there is no way to make a handle.

mod collector;
mod results;
mod table;
#[cfg(all(test, unix, not(loom)))]
mod tests;

pub use collector::{Collector, NotHere, attach, attach_all, collect};
pub(in crate::codec) use results::collect_result;
pub(crate) use results::collect_results;
pub use results::{carry_results, take_results};
pub use table::{Missing, adopt, find, forget, keep, lose, resolve};

#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::{Arc, Weak},
};

use parking_lot::Mutex;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
    ser,
};

use crate::fork;

/// The name of a handle. It is the same in every process that has the handle, and cannot be guessed.
pub type Name = [u8; 12];

/// A descriptor that travels with values. Clones are the same handle; the descriptor is closed with the last one.
///
/// Two handles are equal if they have the same name.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

struct Shared {
    name: Name,
    instance: u64,
    born: fork::Generation,
    #[cfg(unix)]
    file: OwnedFd,
    #[cfg(not(unix))]
    file: std::convert::Infallible,
    /// What is told when the last clone is dropped.
    watchers: Mutex<Vec<Weak<dyn Watcher>>>,
}

/// Learns what becomes of a handle. A back-end learns that the last clone of the handle in this process was dropped,
/// and tells the processes to which it has sent the descriptor. What lies in the file learns that such a process has
/// ended.
pub trait Watcher: Send + Sync {
    /// Is called by the thread that drops the last clone. It must not block.
    fn dropped(&self, name: Name, instance: u64);

    /// Is called after a process has ended that a back-end of this process had sent the descriptor to, by the thread
    /// that learns of it. It must not block, and neither this nor the drop of the watcher may run code of the user.
    /// Nothing may depend on it: other processes that have the descriptor die without this call.
    fn receiver_ended(&self) {}
}

impl Handle {
    /// Makes a handle with a new name.
    #[cfg(unix)]
    pub fn new(file: OwnedFd) -> Handle {
        table::add(table::fresh_name(), file)
    }

    /// Makes the handle of a descriptor that was received under this name. If this process has the handle already, the
    /// descriptor is closed and the handle that lives is returned.
    #[cfg(unix)]
    pub fn received(name: Name, file: OwnedFd) -> Handle {
        table::add(name, file)
    }

    /// Returns the name, by which [`find`] finds the handle as long as it lives.
    pub fn name(&self) -> Name {
        self.0.name
    }

    /// Returns a number that no other handle of this process has or had, even one of the same name.
    pub fn instance(&self) -> u64 {
        self.0.instance
    }

    /// Tells the watcher when the last clone is dropped, once, however often this is called with the same watcher.
    pub fn watch(&self, watcher: Weak<dyn Watcher>) {
        let mut watchers = self.0.watchers.lock();
        if !watchers.iter().any(|known| Weak::ptr_eq(known, &watcher)) {
            watchers.retain(|known| known.strong_count() > 0);
            watchers.push(watcher);
        }
    }

    /// Tells the watchers that a process to which the descriptor was sent has ended.
    pub fn receiver_ended(&self) {
        let watchers: Vec<_> = self.0.watchers.lock().iter().filter_map(Weak::upgrade).collect();
        watchers.iter().for_each(|watcher| watcher.receiver_ended());
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // In a forked child this is a copy. The table and the watchers are the parent's, and may be locked forever.
        if self.born != fork::generation() {
            return;
        }
        table::remove(self.name, self);
        for watcher in self.watchers.get_mut().drain(..) {
            if let Some(watcher) = watcher.upgrade() {
                watcher.dropped(self.name, self.instance);
            }
        }
    }
}

#[cfg(unix)]
impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.file.as_fd()
    }
}

impl PartialEq for Handle {
    fn eq(&self, other: &Handle) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Handle {}

impl Hash for Handle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("file", &self.0.file).finish_non_exhaustive()
    }
}

impl Serialize for Handle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        attach(self).map_err(ser::Error::custom)?;
        serializer.serialize_bytes(&self.name())
    }
}

impl<'de> Deserialize<'de> for Handle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Handle, D::Error> {
        let name = deserializer.deserialize_bytes(NameVisitor)?;
        resolve(name).map_err(de::Error::custom)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a handle")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Name, E> {
        bytes.try_into().map_err(|_| E::invalid_length(bytes.len(), &self))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<Name, A::Error> {
        let mut name = Name::default();
        for (at, byte) in name.iter_mut().enumerate() {
            *byte = bytes.next_element()?.ok_or_else(|| de::Error::invalid_length(at, &NameVisitor))?;
        }
        Ok(name)
    }
}

/// The handles of one value, each once. It is one pointer wide, and null for an ordinary value.
#[derive(Clone, Default)]
pub struct Handles(Option<Arc<Several>>);

struct Several {
    /// Sorted by name.
    handles: Vec<Handle>,
}

impl Handles {
    /// No handles.
    pub const NONE: Handles = Handles(None);

    /// Returns `true` if there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Iterates over the handles.
    pub fn iter(&self) -> std::slice::Iter<'_, Handle> {
        self.as_slice().iter()
    }

    /// Returns what tells this set from every other one.
    pub fn id(&self) -> HandlesId {
        HandlesId(self.0.as_ref().map_or_else(Weak::new, Arc::downgrade))
    }

    /// Returns `true` if it is this set or a clone of it. Another set of the same handles is not.
    pub fn has_id(&self, id: &HandlesId) -> bool {
        self.0.as_ref().is_some_and(|several| std::ptr::eq(Arc::as_ptr(several), id.0.as_ptr()))
    }

    fn as_slice(&self) -> &[Handle] {
        self.0.as_ref().map_or(&[], |several| &several.handles)
    }
}

/// Tells one set of [`Handles`] from every other one. It does not keep the handles.
#[derive(Clone)]
pub struct HandlesId(Weak<Several>);

impl fmt::Debug for HandlesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HandlesId").field(&self.0.as_ptr()).finish()
    }
}

impl From<Vec<Handle>> for Handles {
    fn from(mut handles: Vec<Handle>) -> Handles {
        if handles.is_empty() {
            return Handles::NONE;
        }
        handles.sort_unstable_by_key(Handle::name);
        handles.dedup();
        Handles(Some(Arc::new(Several { handles })))
    }
}

impl FromIterator<Handle> for Handles {
    fn from_iter<I: IntoIterator<Item = Handle>>(handles: I) -> Handles {
        Handles::from(Vec::from_iter(handles))
    }
}

impl<'a> IntoIterator for &'a Handles {
    type Item = &'a Handle;
    type IntoIter = std::slice::Iter<'a, Handle>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Handles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}
