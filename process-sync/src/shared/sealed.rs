//! A value that is encoded once, and decoded once by each process.

use std::{fmt, ops::Deref, sync::Arc};

use executor_core::{
    Error, Payload,
    codec::{self, handles},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    constant::{HEADER, Which},
    received::{self, Registration},
};
use crate::{
    object::{Kind, another_type, fingerprint},
    sys::{self, Attached, File, Names},
};

static KIND: Kind = Kind {
    name: "shared value",
    file: c"concurrent-futures-shared",
    length: 0,
    is_mapped_whole: true,
    on_death: |_| {},
};

/// A value that many tasks read, such as a table or a model.
///
/// It is encoded once, into memory that no process can change. A process that receives a handle decodes the value once;
/// after that, receiving another handle costs a lookup, and reading the value costs a pointer. A worker keeps the
/// value between its tasks, until the process that made it drops its last handle. Threads share the value itself.
///
/// Use a [`SharedSlice`](crate::SharedSlice) for plain numbers: it is not even decoded.
///
/// Python's counterpart is a global variable that the initializer of each worker sets.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use std::collections::HashMap;
/// use concurrent_futures::multiprocessing::Shared;
///
/// let prices = Shared::new(HashMap::from([("tea".to_string(), 3), ("cake".to_string(), 5)]))?;
/// let also = prices.clone();
/// let total = std::thread::spawn(move || also["tea"] + also["cake"]);
/// assert_eq!((total.join().unwrap(), prices.len()), (8, 2));
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
///
/// As an argument of tasks, of threads or processes:
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_sync::*; } }
/// use concurrent_futures::{Executor, InlineExecutor, multiprocessing::Shared};
///
/// fn count(words: Shared<Vec<String>>, word: &str) -> usize {
///     words.iter().filter(|found| *found == word).count()
/// }
/// let words = Shared::new(vec!["a".to_string(), "b".to_string(), "a".to_string()])?;
/// let executor = InlineExecutor::new();
/// let task = |(words, word): (Shared<Vec<String>>, String)| count(words, &word);
/// let counts = executor.map(task, ["a", "b"].map(|word| (words.clone(), word.to_string())))?;
/// assert_eq!(counts.collect::<Result<Vec<_>, _>>()?, [2, 1]);
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
///
/// If a value cannot be decoded by a process, each task there that receives it fails with
/// [`Decode`](executor_core::ErrorKind::Decode), and others are not affected.
pub struct Shared<T>(Arc<Inner<T>>);

struct Inner<T> {
    value: T,
    file: File,
    /// What the value itself has. They travel with it.
    handles: Vec<File>,
    attached: Attached,
    _registration: Registration,
}

/// What travels: the name of the file, and the handles of the value. It is a tuple, because names of fields would take
/// longer to write and to read than all else.
type Parts = (Names<1>, Vec<File>);

impl<T: Payload + Sync> Shared<T> {
    /// Encodes a value, and keeps it.
    ///
    /// # Errors
    ///
    /// [`Encode`](executor_core::ErrorKind::Encode) if the value cannot be encoded, and if the system refuses memory or
    /// descriptors.
    pub fn new(value: T) -> Result<Shared<T>, Error> {
        let (file, handles) = match codec::as_encoded(&value) {
            Some(bytes) => (which::<T>().file_of(bytes)?, Vec::new()),
            None => {
                let mut bytes = Vec::new();
                let (encoded, attached) = handles::collect(|| codec::encode(&value, &mut bytes));
                encoded?;
                (which::<T>().file_of(&bytes)?, attached.iter().map(sys::file_of).collect())
            }
        };
        let shared = Arc::new(Inner::new(value, file, handles));
        received::remember(&shared.file, &shared);
        Ok(Shared(shared))
    }

    fn make(file: &File, handles: Vec<File>) -> Result<Option<Arc<Inner<T>>>, Error> {
        received::get_or_make(file, || {
            let (sealed, count) = which::<T>().open(file)?;
            let bytes = usize::try_from(count).ok().and_then(|count| sealed.bytes()[HEADER..].get(..count));
            let value = codec::decode(bytes.ok_or_else(|| another_type(&KIND))?)?;
            Ok(Inner::new(value, file.clone(), handles))
        })
    }
}

fn which<T: 'static>() -> Which {
    Which { kind: &KIND, content: fingerprint::<T>() }
}

impl<T> Inner<T> {
    fn new(value: T, file: File, handles: Vec<File>) -> Inner<T> {
        let (attached, _registration) = (Attached::default(), Registration::of(&file));
        Inner { value, file, handles, attached, _registration }
    }
}

impl<T> Clone for Shared<T> {
    /// Returns another handle of the same value.
    fn clone(&self) -> Shared<T> {
        Shared(self.0.clone())
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> AsRef<T> for Shared<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.attached.attach::<S::Error, 1>([&self.0.file])?;
        (Names::of([&self.0.file]), &self.0.handles).serialize(serializer)
    }
}

impl<'de, T: Payload + Sync> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Shared<T>, D::Error> {
        let (names, handles) = Parts::deserialize(deserializer)?;
        let made = match received::find(names.name(0)) {
            Some(made) => Ok(made),
            None => Shared::make(&names.file(0)?, handles),
        };
        made.and_then(|made| made.map(Shared).ok_or_else(|| another_type(&KIND)))
            .map_err(|error| codec::de_error(&error))
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shared").field(&self.0.value).finish()
    }
}
