//! What all objects have in common: their memory, the file by which other processes open it, and the membership of this
//! process in the roster of those that share it.

use std::{
    any::{Any, type_name},
    ffi::CStr,
    fmt, io,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::{
        Arc, OnceLock,
        atomic::Ordering::{Acquire, Release},
    },
};
#[cfg(target_os = "linux")]
use std::{collections::HashMap, sync::Weak};

use executor_core::{
    Error,
    codec::{self, handles::Name},
};
#[cfg(target_os = "linux")]
use parking_lot::Mutex;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    errors,
    memory::SharedMemory,
    roster::Member,
    sys::{self, Attached, File, Names},
};

/// Where the identity of an object lies in its memory, and where its own state begins.
const IDENTITY: usize = 0;
pub(crate) const STATE: usize = 64;

/// What an object is.
#[derive(Debug)]
pub(crate) struct Kind {
    /// As messages name it.
    pub(crate) name: &'static str,
    /// As lists of mappings name it.
    pub(crate) file: &'static CStr,
    /// How many bytes of its memory every process maps, at least.
    pub(crate) length: usize,
    /// Whether every process maps all of its memory.
    pub(crate) is_mapped_whole: bool,
    /// Ends what dead processes have of it, where that needs no wait, and wakes the threads that wait, so that they
    /// find out about the rest.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code))]
    pub(crate) on_death: fn(&Object),
}

/// An object, as this process has it. All handles of the object in this process share it.
pub(crate) struct Object {
    pub(crate) memory: SharedMemory,
    pub(crate) member: Member,
    file: File,
    kind: &'static Kind,
    /// Which values it holds.
    content: u64,
    /// What goes with it when it travels.
    attached: Attached,
    /// What this process keeps with it, such as further mappings.
    local: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl Object {
    /// Makes an object of zeros. `content` is the [fingerprint] of the values that it holds.
    pub(crate) fn create(
        kind: &'static Kind,
        content: u64,
        set_up: impl FnOnce(&Object),
    ) -> Result<Arc<Object>, Error> {
        Object::create_of_length(kind, content, kind.length, set_up)
    }

    /// Makes an object of another length than usual, which is mapped as a whole.
    pub(crate) fn create_of_length(
        kind: &'static Kind,
        content: u64,
        length: usize,
        set_up: impl FnOnce(&Object),
    ) -> Result<Arc<Object>, Error> {
        Object::create_of_lengths(kind, content, (length, length), set_up)
    }

    /// Makes an object whose file is longer than what every process maps.
    pub(crate) fn create_with_file(
        kind: &'static Kind,
        content: u64,
        length: usize,
        set_up: impl FnOnce(&Object),
    ) -> Result<Arc<Object>, Error> {
        Object::create_of_lengths(kind, content, (kind.length, length), set_up)
    }

    fn create_of_lengths(
        kind: &'static Kind,
        content: u64,
        (mapped, length): (usize, usize),
        set_up: impl FnOnce(&Object),
    ) -> Result<Arc<Object>, Error> {
        let member = Member::home()?;
        let failed = |error| errors::from_system(&format!("make a {}", kind.name), &error);
        let file = sys::create(kind.file, length).map_err(failed)?;
        let memory = SharedMemory::map(&file, 0, mapped).map_err(failed)?;
        let object =
            Object { memory, member, file, kind, content, attached: Attached::default(), local: OnceLock::new() };
        set_up(&object);
        // ORDERING: Release pairs with the Acquire of a process that opens the object.
        object.memory.word(IDENTITY).store(identity(kind, content), Release);
        let object = Arc::new(object);
        open_objects::remember(&object);
        Ok(object)
    }

    /// Opens what another process has made.
    pub(crate) fn open(kind: &'static Kind, content: u64, parts: Parts) -> Result<Arc<Object>, Error> {
        match sys::name_of(&parts.file).and_then(|name| Object::find(kind, content, name)) {
            Some(found) => found,
            None => Object::map(kind, content, parts),
        }
    }

    /// Returns the object of this name if this process has it.
    fn find(kind: &'static Kind, content: u64, name: Name) -> Option<Result<Arc<Object>, Error>> {
        let object = open_objects::find(name)?;
        // The same name is the same file, so this is another type only if the bytes are not what they were.
        Some(if object.is(kind, content) { Ok(object) } else { Err(another_type(kind)) })
    }

    fn map(kind: &'static Kind, content: u64, parts: Parts) -> Result<Arc<Object>, Error> {
        let member = Member::join(parts.roster)?;
        let failed = |error| cannot_open(kind, &error);
        let length = if kind.is_mapped_whole { sys::length_of(&parts.file).map_err(failed)? } else { kind.length };
        let memory = SharedMemory::map(&parts.file, 0, length.max(kind.length)).map_err(failed)?;
        // ORDERING: Acquire pairs with the Release in `create`.
        if memory.word(IDENTITY).load(Acquire) != identity(kind, content) {
            return Err(another_type(kind));
        }
        let object = Arc::new(Object {
            memory,
            member,
            file: parts.file,
            kind,
            content,
            attached: Attached::default(),
            local: OnceLock::new(),
        });
        open_objects::remember(&object);
        open_objects::keep(&object);
        Ok(object)
    }

    /// Fails in a forked child.
    #[inline]
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.member.is_here() { Ok(()) } else { Err(errors::forked(self.kind.name)) }
    }

    /// Returns how messages name it.
    pub(crate) fn name(&self) -> &'static str {
        self.kind.name
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Opens the object as another process does, which believes nothing that this one knows.
    #[cfg(fuzzing)]
    pub(crate) fn reopened(&self) -> Result<Arc<Object>, Error> {
        use std::os::fd::AsFd;
        let copy = self.file.as_fd().try_clone_to_owned().expect("a descriptor");
        Object::open(self.kind, self.content, Parts { roster: self.member.socket(), file: File::new(copy) })
    }

    /// Returns what travels.
    pub(crate) fn parts(&self) -> Parts {
        Parts { roster: self.member.socket(), file: self.file.clone() }
    }

    /// Encodes an object with all of its files: what other processes join its roster by, its own file, and further
    /// ones. They are the same at every call.
    pub(crate) fn serialize_with<const N: usize, S: Serializer>(
        &self,
        files: [&File; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        self.attached.attach(files)?;
        Names::of(files).serialize(serializer)
    }

    /// Decodes an object that was encoded with these files.
    pub(crate) fn deserialize_with<const N: usize, E: de::Error>(
        kind: &'static Kind,
        content: u64,
        names: &Names<N>,
    ) -> Result<Arc<Object>, E> {
        let opened = match names.name(FILE).and_then(|name| Object::find(kind, content, name)) {
            Some(found) => found,
            None => Object::map(kind, content, Parts { roster: names.file(ROSTER)?, file: names.file(FILE)? }),
        };
        opened.map_err(|error| codec::de_error(&error))
    }

    /// Returns what this process keeps with the object, if it was made.
    pub(crate) fn known_local<L: Any>(&self) -> Option<&L> {
        self.local.get()?.downcast_ref()
    }

    /// Returns what this process keeps with the object, which is made at the first call.
    pub(crate) fn local<L: Any + Send + Sync>(&self, make: impl FnOnce() -> L) -> &L {
        let local = self.local.get_or_init(|| Box::new(make()));
        local.downcast_ref().expect("a kind of object keeps one type")
    }

    fn is(&self, kind: &'static Kind, content: u64) -> bool {
        std::ptr::eq(self.kind, kind) && self.content == content
    }

    /// Decodes an object, which must be of this kind and hold such values.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
        kind: &'static Kind,
        content: u64,
    ) -> Result<Arc<Object>, D::Error> {
        let names: Names<OWN_FILES> = Deserialize::deserialize(deserializer)?;
        Object::deserialize_with(kind, content, &names)
    }
}

// A panic leaves every state whole, and releases what was held.
impl UnwindSafe for Object {}
impl RefUnwindSafe for Object {}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let roster = self.member.socket();
        self.serialize_with::<OWN_FILES, S>([&roster, &self.file], serializer)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("kind", &self.kind.name).field("member", &self.member).finish_non_exhaustive()
    }
}

/// Which of the names of an object's files is which, and how many every object has.
const ROSTER: usize = 0;
const FILE: usize = 1;
const OWN_FILES: usize = 2;

/// What travels.
#[derive(Serialize, Deserialize)]
pub(crate) struct Parts {
    roster: File,
    file: File,
}

/// The file of what should be an object cannot be mapped.
#[cold]
pub(crate) fn cannot_open(kind: &Kind, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::InvalidData => another_type(kind),
        _ => errors::from_system(&format!("open a {}", kind.name), error),
    }
}

#[cold]
pub(crate) fn another_type(kind: &Kind) -> Error {
    errors::invalid_argument(format!(
        "this is not a {} of this type, but another object or one of other values",
        kind.name
    ))
}

/// Returns a number that tells the types of values apart, and is the same in every process of a program.
pub(crate) fn fingerprint<T>() -> u64 {
    hash(type_name::<T>(), (size_of::<T>() as u64) << 8 | align_of::<T>() as u64)
}

/// Never zero, which is the identity of memory that nothing was written to.
pub(crate) fn identity(kind: &Kind, content: u64) -> u64 {
    hash(kind.name, content) | 1
}

/// FNV-1a, whose result does not depend on the process.
fn hash(text: &str, number: u64) -> u64 {
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    text.bytes().chain(number.to_le_bytes()).fold(START, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

/// The objects that live in this process, by the names of their files, so that an object that is received again is
/// mapped once.
#[cfg(target_os = "linux")]
mod open_objects {
    use executor_core::codec::handles::{self, Name, Watcher};

    use super::{Arc, HashMap, Mutex, Object, Weak};

    static OPEN: Mutex<Option<HashMap<Name, Weak<Object>>>> = Mutex::new(None);

    pub(super) fn find(name: Name) -> Option<Arc<Object>> {
        let open = OPEN.lock();
        let found = open.as_ref()?.get(&name)?.upgrade();
        drop(open);
        found.filter(|object| object.member.is_here())
    }

    pub(super) fn remember(object: &Arc<Object>) {
        let watcher: Weak<dyn Watcher> = Arc::downgrade(object) as Weak<dyn Watcher>;
        object.file.watch(watcher);
        let mut open = OPEN.lock();
        open.get_or_insert_with(HashMap::new).insert(object.file.name(), Arc::downgrade(object));
    }

    /// Keeps an object that came with a task for the next task that is given it, until the parent has dropped its last
    /// handle.
    pub(super) fn keep(object: &Arc<Object>) {
        handles::keep(object.file.name(), object.clone());
    }

    impl Watcher for Object {
        /// The object has a handle itself, so this is never called while it lives.
        fn dropped(&self, _: Name, _: u64) {}

        fn receiver_ended(&self) {
            if self.member.is_here() {
                (self.kind.on_death)(self);
            }
        }
    }

    impl Drop for Object {
        fn drop(&mut self) {
            if !self.member.is_here() {
                return;
            }
            let mut open = OPEN.lock();
            if let Some(open) = open.as_mut() {
                let name = self.file.name();
                // Another instance may have the name by now.
                if open.get(&name).is_some_and(|known| std::ptr::eq(known.as_ptr(), self)) {
                    open.remove(&name);
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod open_objects {
    use super::{Arc, Name, Object};

    pub(super) fn find(_: Name) -> Option<Arc<Object>> {
        None
    }

    pub(super) fn remember(_: &Arc<Object>) {}

    pub(super) fn keep(_: &Arc<Object>) {}
}

/// Makes a type that consists of an [`Object`] a handle that is cloned, travels and is shown.
macro_rules! impl_handle {
    ($type:ident $(<$value:ident: $bound:path>)?, $kind:expr, $content:expr) => {
        impl$(<$value: $bound>)? Clone for $type$(<$value>)? {
            /// Returns another handle of the same object.
            fn clone(&self) -> Self {
                Self::with(self.object.clone())
            }
        }

        #[cfg(any(test, fuzzing))]
        impl$(<$value: $bound>)? $type$(<$value>)? {
            #[allow(dead_code, reason = "the tests of wild writes do not attack every type")]
            pub(crate) fn object(&self) -> &crate::object::Object {
                &self.object
            }
        }

        impl$(<$value: $bound>)? serde::Serialize for $type$(<$value>)? {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.object.serialize(serializer)
            }
        }

        impl<'de $(, $value: $bound)?> serde::Deserialize<'de> for $type$(<$value>)? {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let object = crate::object::Object::deserialize(deserializer, $kind, $content)?;
                Ok(Self::with(object))
            }
        }
    };
}
pub(crate) use impl_handle;
