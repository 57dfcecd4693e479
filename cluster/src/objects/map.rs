//! A map between machines.

use std::{borrow::Borrow, fmt, marker::PhantomData, sync::Arc};

use executor_core::{Error, Payload};

use super::{connection::Shared, name, outage::Trouble, value};
use crate::{
    nats::{Bucket, Change, Failure, Record},
    unique,
};

/// A map between machines: values under keys, in the server. [`Client::map`](super::Client::map) returns it. A clone is
/// the same map.
///
/// Keys are any text of up to 2000 bytes, of which each byte that is no ASCII letter, digit or `-` counts for three.
/// Values are written in CBOR, as those of a [`Queue`](super::Queue). A value that is not a `V` is
/// [`Decode`](executor_core::ErrorKind::Decode) for its key alone, and stays as it is.
///
/// | Python, on a manager's `dict` | here |
/// |---|---|
/// | `d[k]`, `d.get(k)` | [`get`](Self::get) |
/// | `d[k] = v` | [`insert`](Self::insert) |
/// | `del d[k]`, `k in d`, `list(d)` | [`remove`](Self::remove), [`contains_key`](Self::contains_key), [`keys`](Self::keys) |
/// | `d[k] += 1`, which loses updates | [`update`](Self::update), which does not |
///
/// ```
/// # mod concurrent_futures { pub use cluster; pub use executor_core::Error; }
/// # if cluster::Server::local().is_err() { return Ok::<(), Error>(()) }
/// use concurrent_futures::{Error, cluster::{Client, Server}};
/// let server = Server::local()?;
/// let visits = Client::connect(server.url(), server.token())?.map::<u64>("visits")?;
/// visits.insert("/", 1)?;
/// // However many programs do this, no visit is lost.
/// visits.update("/", |visits| Some(visits.unwrap_or(0) + 1))?;
/// assert_eq!(visits.get("/")?, Some(2));
/// assert_eq!(visits.keys()?, ["/"]);
/// assert!(visits.remove("/")?);
/// # Ok::<(), Error>(())
/// ```
pub struct Map<V> {
    connection: Shared,
    bucket: Arc<Bucket>,
    name: Arc<str>,
    values: PhantomData<fn(V) -> V>,
}

impl<V: Payload> Map<V> {
    pub(super) fn open(connection: Shared, name: &str) -> Result<Map<V>, Error> {
        let part = name::of_object("map", name)?;
        let bucket = Arc::new(connection.stores.bucket(format!("EXM_{part}"), false, connection.replicas));
        let map = Map { connection, bucket, name: name.into(), values: PhantomData };
        map.run(|bucket| async move { bucket.make().await })?;
        Ok(map)
    }

    /// Returns the name of the map.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the value of a key, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// - [`Decode`](executor_core::ErrorKind::Decode): the value is not a `V`.
    /// - [`InvalidArgument`](executor_core::ErrorKind::InvalidArgument): the key is too long.
    /// - [`Unavailable`](executor_core::ErrorKind::Unavailable): the server does not answer.
    pub fn get(&self, key: &str) -> Result<Option<V>, Error> {
        match self.read(&self.part(key)?)?.value {
            Some(bytes) => self.decode(key, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Returns `true` if the key has a value, of whatever type.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), but for `Decode`.
    pub fn contains_key(&self, key: &str) -> Result<bool, Error> {
        Ok(self.read(&self.part(key)?)?.value.is_some())
    }

    /// Sets the value of a key, whether it has one or not.
    ///
    /// # Errors
    ///
    /// - [`Encode`](executor_core::ErrorKind::Encode): the value cannot be encoded, or is longer than the server
    ///   accepts.
    /// - [`InvalidArgument`](executor_core::ErrorKind::InvalidArgument): the key is too long.
    /// - [`QueueFull`](executor_core::ErrorKind::QueueFull): the server has no more room.
    /// - [`Unavailable`](executor_core::ErrorKind::Unavailable): the server does not answer. The value may be set.
    pub fn insert(&self, key: &str, value: impl Borrow<V>) -> Result<(), Error> {
        let part = self.part(key)?;
        let value = Some(self.encode(key, value.borrow())?);
        self.change(Change { key: part, value, expected: None, lifetime: None, id: unique::name() })
            .map(drop)
            .map_err(|trouble| self.error(&trouble))
    }

    /// Removes a key and its value, of whatever type. Returns `true` if it was there. Of several programs that remove
    /// it at the same time, one gets `true`.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), but for `Decode`.
    pub fn remove(&self, key: &str) -> Result<bool, Error> {
        let part = self.part(key)?;
        loop {
            let record = self.read(&part)?;
            if record.value.is_none() {
                return Ok(false);
            }
            if self.set(&part, None, record.revision)? {
                return Ok(true);
            }
        }
    }

    /// Changes the value of a key by a function of its present value, and returns the new one. `None` means that there
    /// is no value.
    ///
    /// The function is called again if another program has changed the value meanwhile. So no change is lost, and the
    /// function should do nothing but compute.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`insert`](Self::insert).
    pub fn update(&self, key: &str, mut change: impl FnMut(Option<V>) -> Option<V>) -> Result<Option<V>, Error> {
        let part = self.part(key)?;
        loop {
            let Record { value, revision } = self.read(&part)?;
            let was_there = value.is_some();
            let old = value.map(|bytes| self.decode(key, &bytes)).transpose()?;
            let new = change(old);
            let bytes = new.as_ref().map(|new| self.encode(key, new)).transpose()?;
            let is_nothing = bytes.is_none() && !was_there;
            if is_nothing || self.set(&part, bytes, revision)? {
                return Ok(new);
            }
        }
    }

    /// Returns the keys that have a value, in no order. Keys that other programs have written in another way than this
    /// library are left out.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](executor_core::ErrorKind::Unavailable) if the server does not answer.
    pub fn keys(&self) -> Result<Vec<String>, Error> {
        let (mut outage, bucket) = (self.connection.outage(None), self.bucket.clone());
        let parts = self.connection.run(async move { outage.persist_long(&*bucket, || bucket.keys()).await })?;
        let parts = parts.map_err(|trouble| self.error(&trouble))?;
        Ok(parts.iter().filter_map(|part| name::decode(part)).collect())
    }

    fn part(&self, key: &str) -> Result<String, Error> {
        name::of_key(&self.shown(), key)
    }

    /// Returns the last change of a record. One that never was has revision 0.
    fn read(&self, part: &str) -> Result<Record, Error> {
        let part = part.to_string();
        let record = self.run(move |bucket| {
            let part = part.clone();
            async move { bucket.read(&part).await }
        })?;
        Ok(record.unwrap_or(Record { value: None, revision: 0 }))
    }

    /// Sets or removes the value of a record whose last change has this revision. Returns `false` if it has another.
    fn set(&self, part: &str, value: Option<Vec<u8>>, revision: u64) -> Result<bool, Error> {
        let id = unique::name();
        match self.change(Change { key: part.into(), value, expected: Some(revision), lifetime: None, id }) {
            Ok(_) => Ok(true),
            Err(Trouble::Engine(Failure::Late)) => Ok(false),
            Err(trouble) => Err(self.error(&trouble)),
        }
    }

    fn change(&self, change: Change) -> Result<u64, Trouble> {
        let (mut outage, bucket) = (self.connection.outage(None), self.bucket.clone());
        let change = async move { outage.persist(&*bucket, || bucket.write(&change)).await };
        self.connection.run(change).unwrap_or_else(|error| Err(Failure::Away(error.to_string()).into()))
    }

    fn run<T, F>(&self, mut attempt: impl FnMut(Arc<Bucket>) -> F + Send + 'static) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let (mut outage, bucket) = (self.connection.outage(None), self.bucket.clone());
        self.connection
            .run(async move { outage.persist(&*bucket, || attempt(bucket.clone())).await })?
            .map_err(|trouble| self.error(&trouble))
    }

    fn encode(&self, key: &str, value: &V) -> Result<Vec<u8>, Error> {
        value::encode_within(&self.shown_key(key), value, self.bucket.longest())
    }

    fn decode(&self, key: &str, bytes: &[u8]) -> Result<V, Error> {
        value::decode(&format!("the value of {}", self.shown_key(key)), bytes)
    }

    fn shown(&self) -> String {
        format!("map `{}`", self.name.escape_debug())
    }

    fn shown_key(&self, key: &str) -> String {
        format!("key `{}` of {}", key.escape_debug(), self.shown())
    }

    fn error(&self, trouble: &Trouble) -> Error {
        self.connection.error(&self.shown(), trouble)
    }
}

impl<V> Clone for Map<V> {
    fn clone(&self) -> Map<V> {
        Map {
            connection: self.connection.clone(),
            bucket: self.bucket.clone(),
            name: self.name.clone(),
            values: PhantomData,
        }
    }
}

impl<V> fmt::Debug for Map<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("name", &self.name).finish_non_exhaustive()
    }
}
