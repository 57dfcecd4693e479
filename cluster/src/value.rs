//! Arguments that are too large for a message, on the side of the client.

use std::{
    collections::{HashMap, hash_map::RandomState},
    fmt,
    hash::BuildHasher as _,
    sync::{Arc, Weak},
};

use executor_core::codec::Bytes;
use parking_lot::Mutex;

use crate::wire::{Peer, Reference};

/// An argument that is too large for a message. When the last task that has it is done, it is removed from the store.
///
/// Its bytes stay in memory until then, because the store may lose them.
pub struct Value {
    reference: Reference,
    bytes: Bytes,
    hash: u64,
    all: Arc<Values>,
}

/// The large arguments of a client. Tasks with equal ones share them.
pub(crate) struct Values {
    me: Peer,
    remove: Box<dyn Fn(&Reference) + Send + Sync>,
    hasher: RandomState,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    next: u64,
    /// Those that are alive, by their hash. Those that are dropped at this moment are among them.
    values: HashMap<u64, Vec<Weak<Value>>>,
}

impl Values {
    /// `remove` is called for each value that no task has any more.
    pub(crate) fn new(me: Peer, remove: impl Fn(&Reference) + Send + Sync + 'static) -> Arc<Values> {
        Arc::new(Values { me, remove: Box::new(remove), hasher: RandomState::new(), table: Mutex::default() })
    }

    /// Returns the value with these bytes, and whether it is new.
    pub(crate) fn intern(self: &Arc<Self>, bytes: Bytes) -> (Arc<Value>, bool) {
        let hash = self.hasher.hash_one(&*bytes);
        let equals: Vec<Weak<Value>> = self.table.lock().values.get(&hash).cloned().unwrap_or_default();
        // Comparing takes long, so no lock is held.
        if let Some(value) = equals.iter().filter_map(Weak::upgrade).find(|value| *value.bytes == *bytes) {
            return (value, false);
        }
        let mut table = self.table.lock();
        table.next += 1;
        let name = format!("{}.{}", self.me.process(), table.next);
        let reference = Reference { name, length: bytes.len() as u64, is_shared: false };
        let value = Arc::new(Value { reference, bytes, hash, all: self.clone() });
        table.values.entry(hash).or_default().push(Arc::downgrade(&value));
        (value, true)
    }
}

impl Value {
    /// Returns its name in the store.
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// Returns its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        let mut table = self.all.table.lock();
        if let Some(equals) = table.values.get_mut(&self.hash) {
            equals.retain(|value| value.strong_count() > 0);
            if equals.is_empty() {
                table.values.remove(&self.hash);
            }
        }
        drop(table);
        (self.all.remove)(&self.reference);
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Value").field(&self.reference).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_arguments_are_one_value_until_the_last_task_is_done() {
        let removed: Arc<Mutex<Vec<String>>> = Arc::default();
        let remove = {
            let removed = removed.clone();
            move |argument: &Reference| removed.lock().push(argument.name.clone())
        };
        let values = Values::new(Peer::new("ada", "c1").expect("a name"), remove);
        let bytes = |byte: u8| Bytes::from(vec![byte; 1000]);
        let (one, is_new) = values.intern(bytes(1));
        assert!(is_new);
        let (again, is_new) = values.intern(bytes(1));
        assert!(!is_new && Arc::ptr_eq(&one, &again));
        let (other, is_new) = values.intern(bytes(2));
        assert!(is_new && other.reference() != one.reference() && other.bytes() == [2; 1000]);
        drop(one);
        assert!(removed.lock().is_empty());
        drop(again);
        assert_eq!(*removed.lock(), ["c1.1"]);
        let (third, is_new) = values.intern(bytes(1));
        assert!(is_new && third.reference().name == "c1.3", "a name is used once");
        drop((other, third));
        assert!(values.table.lock().values.is_empty());
    }
}
