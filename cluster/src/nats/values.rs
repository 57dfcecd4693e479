//! Arguments and outcomes that are too large for a message, in object stores.

use std::{
    collections::HashMap,
    pin::Pin,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use async_nats::{
    Client,
    jetstream::{
        self,
        object_store::{GetErrorKind, InfoErrorKind, ObjectInfo, ObjectOptions, ObjectStore},
    },
};
use executor_core::{Error, ErrorKind, codec::Bytes};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::watch,
    time::{Instant, timeout},
};

use super::{
    Status,
    api::{Api, Refusal},
    assets,
    names::{Kind, Names},
    room::Room,
    unavailable::unavailable,
};
use crate::{unique, wire::Reference};

/// The largest value, in bytes. Both sides hold a whole one in memory.
pub(super) const LARGEST: u64 = 1 << 30;

/// How long one operation may take, besides the time that the bytes need.
const ANSWER: Duration = Duration::from_secs(10);

/// How slow the engine may be with the bytes of a value, in bytes for each second.
const SLOWEST: u64 = 1 << 20;

/// The length of the messages into which a value is divided, in bytes. It is what object stores have by default.
const CHUNK: usize = 128 << 10;

/// How many leftovers are remembered. What is forgotten disappears by its age.
const MOST_LEFTOVERS: usize = 10_000;

/// What could not be removed when it should have been.
enum Leftover {
    /// The parts of a value that was not stored as a whole: their stream, and their subject.
    Parts(String, String),
    /// A value of a user.
    Value(Kind, String, String),
}

/// The object stores of a pool, two for each user. They are made when they are needed.
pub(super) struct ValueStores {
    context: jetstream::Context,
    api: Api,
    names: Names,
    /// By their names.
    known: Mutex<HashMap<String, Known>>,
    leftovers: Mutex<Vec<Leftover>>,
}

/// A store that can be used.
#[derive(Clone)]
struct Known {
    store: ObjectStore,
    /// How many bytes it may have, if that is bounded.
    bound: Option<u64>,
}

fn time_for(bytes: u64) -> Duration {
    ANSWER + Duration::from_secs(bytes / SLOWEST)
}

impl ValueStores {
    /// Call it in a future that the engine runs, because it starts one of its own.
    pub(super) fn new(client: Client, status: watch::Receiver<Status>, names: Names) -> ValueStores {
        let context = jetstream::ContextBuilder::new().timeout(ANSWER).build(client.clone());
        ValueStores {
            context,
            api: Api::new(client, status),
            names,
            known: Mutex::default(),
            leftovers: Mutex::default(),
        }
    }

    /// Puts a value into a store of a user, for the first time under this name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] if that is not possible now. [`ErrorKind::Encode`] if it never will be, because the
    /// value is longer than the store may be.
    pub(super) async fn put(&self, kind: Kind, user: &str, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let (bucket, number) = (self.names.values(kind, user), unique::name());
        let needed = stored_size(&bucket, bytes.len());
        let fits = |known: &Known| known.bound.is_none_or(|bound| needed <= bound);
        let mut known = self.of(kind, user).await?;
        if !fits(&known) {
            // Perhaps an administrator has changed the bound.
            self.known.lock().remove(&bucket);
            known = self.of(kind, user).await?;
        }
        let bound = known.bound.map_or_else(String::new, |bound| format!(", which may have {bound} bytes,"));
        if !fits(&known) {
            return Err(never_fits(kind, &bucket, bytes.len(), &bound));
        }
        let reason = match timeout(time_for(bytes.len() as u64), self.store(&bucket, name, &number, bytes)).await {
            Ok(Ok(())) => {
                self.remove_leftovers().await;
                return Ok(());
            }
            Ok(Err(reason)) => reason,
            Err(_) => "the engine does not answer".to_string(),
        };
        // Perhaps someone has deleted the store, and it must be made again.
        self.known.lock().remove(&bucket);
        // In a store that is full, the parts of a value would leave no room for any value as a whole.
        self.leave(Leftover::Parts(format!("OBJ_{bucket}"), format!("$O.{bucket}.C.{number}")));
        self.remove_leftovers().await;
        Err(unavailable(&format!("a large value cannot be stored in `{bucket}`{bound} now"), reason))
    }

    /// Stores the parts of a value, and then what says that they are one. `number` names the parts.
    ///
    /// It is [`ObjectStore::put`], which does not tell the name of the parts that it leaves when it fails. The digest
    /// is left out, because the engine checks what it has stored.
    async fn store(&self, bucket: &str, name: &str, number: &str, bytes: &[u8]) -> Result<(), String> {
        let subject = format!("$O.{bucket}.C.{number}");
        for chunk in bytes.chunks(CHUNK) {
            let stored = self.context.publish(subject.clone(), chunk.to_vec().into()).await;
            stored.map_err(|error| error.to_string())?.await.map_err(|error| error.to_string())?;
        }
        let info = ObjectInfo {
            name: name.to_string(),
            description: None,
            metadata: HashMap::new(),
            headers: None,
            options: Some(ObjectOptions { max_chunk_size: Some(CHUNK), link: None }),
            bucket: bucket.to_string(),
            nuid: number.to_string(),
            size: bytes.len(),
            chunks: bytes.len().div_ceil(CHUNK),
            modified: None,
            digest: None,
            deleted: false,
        };
        let text = serde_json::to_vec(&info).map_err(|error| error.to_string())?;
        let subject = format!("$O.{bucket}.M.{}", base64(name.as_bytes()));
        let stored = self.context.publish(subject, text.into()).await;
        stored.map_err(|error| error.to_string())?.await.map_err(|error| error.to_string())?;
        Ok(())
    }

    /// Returns whether a value is in a store of a user, or `None` if the engine does not say so.
    pub(super) async fn has(&self, kind: Kind, user: &str, name: &str) -> Option<bool> {
        let store = self.of(kind, user).await.ok()?.store;
        match timeout(ANSWER, store.info(name)).await {
            Ok(Ok(info)) => Some(!info.deleted),
            Ok(Err(error)) if error.kind() == InfoErrorKind::NotFound => Some(false),
            _ => {
                self.known.lock().remove(&self.names.values(kind, user));
                None
            }
        }
    }

    /// Returns a value of a store of a user, or `None` if it is not there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] if that is not possible now, and [`ErrorKind::Decode`] if it is another value.
    pub(super) async fn get(&self, kind: Kind, user: &str, reference: &Reference) -> Result<Option<Bytes>, Error> {
        let store = self.of(kind, user).await?.store;
        let failed = |reason: String| {
            self.known.lock().remove(&self.names.values(kind, user));
            unavailable("a large value cannot be fetched", reason)
        };
        let mut object = match timeout(ANSWER, store.get(&reference.name)).await {
            Ok(Ok(object)) => object,
            Ok(Err(error)) if error.kind() == GetErrorKind::NotFound => return Ok(None),
            Ok(Err(error)) => return Err(failed(error.to_string())),
            Err(_) => return Err(failed("the engine does not answer".into())),
        };
        let length = reference.length.min(LARGEST) as usize;
        if object.info().size != length || object.info().deleted {
            return Err(Error::new(ErrorKind::Decode, "a value in the store of the cluster has another length"));
        }
        let mut bytes = vec![0; length];
        let read = async {
            let mut filled = 0;
            // The last read finds the end.
            loop {
                let count = read(&mut object, &mut bytes[filled..]).await?;
                if count == 0 {
                    return std::io::Result::Ok(filled);
                }
                filled += count;
            }
        };
        match timeout(time_for(reference.length), read).await {
            Ok(Ok(filled)) if filled == length => Ok(Some(bytes.into())),
            Ok(Ok(_)) => Err(failed("it ends too early".into())),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed("the engine does not send it".into())),
        }
    }

    /// Removes a value, so that nothing of it is left. If that fails, it is tried again with the next value that is
    /// stored or removed, and in the end its age removes it.
    pub(super) async fn remove(&self, kind: Kind, user: &str, name: &str) {
        if !self.try_remove(kind, user, name).await {
            self.leave(Leftover::Value(kind, user.to_string(), name.to_string()));
        } else {
            self.remove_leftovers().await;
        }
    }

    /// Returns whether the value is gone. It is not [`ObjectStore::delete`], which stores that there was such a value,
    /// and needs room for that.
    async fn try_remove(&self, kind: Kind, user: &str, name: &str) -> bool {
        let Ok(Known { store, .. }) = self.of(kind, user).await else { return false };
        let info = match timeout(ANSWER, store.info(name)).await {
            Ok(Ok(info)) => info,
            Ok(Err(error)) => return error.kind() == InfoErrorKind::NotFound,
            Err(_) => return false,
        };
        let bucket = self.names.values(kind, user);
        let stream = format!("OBJ_{bucket}");
        // What says that there is such a value is last, because it names the parts.
        self.purge(&stream, &format!("$O.{bucket}.C.{}", info.nuid)).await
            && self.purge(&stream, &format!("$O.{bucket}.M.{}", base64(name.as_bytes()))).await
    }

    async fn purge(&self, stream: &str, subject: &str) -> bool {
        let filter = json!({ "filter": subject });
        self.api.request::<Json>(&format!("STREAM.PURGE.{stream}"), &filter).await.is_ok()
    }

    fn leave(&self, leftover: Leftover) {
        let mut leftovers = self.leftovers.lock();
        if leftovers.len() < MOST_LEFTOVERS {
            leftovers.push(leftover);
        }
    }

    /// Tries again to remove what is left, until something cannot be removed.
    async fn remove_leftovers(&self) {
        loop {
            let Some(leftover) = self.leftovers.lock().pop() else { return };
            let is_gone = match &leftover {
                Leftover::Parts(stream, subject) => self.purge(stream, subject).await,
                Leftover::Value(kind, user, name) => self.try_remove(*kind, user, name).await,
            };
            if !is_gone {
                return self.leave(leftover);
            }
        }
    }

    /// Returns a store of a user, and makes it if it is missing.
    async fn of(&self, kind: Kind, user: &str) -> Result<Known, Error> {
        let bucket = self.names.values(kind, user);
        if let Some(known) = self.known.lock().get(&bucket) {
            return Ok(known.clone());
        }
        let unusable = || format!("the store `{bucket}` for large values cannot be used");
        let info = format!("STREAM.INFO.OBJ_{bucket}");
        let info = match self.api.request::<Json>(&info, &Json::Null).await {
            Err(Refusal::Missing) => {
                let made = assets::create_stores(&self.api, &self.names, user, Instant::now() + ANSWER).await;
                made.map_err(|refusal| refusal.into_error(&unusable()))?;
                self.api.request::<Json>(&info, &Json::Null).await
            }
            answer => answer,
        };
        let info = info.map_err(|refusal| refusal.into_error(&unusable()))?;
        let store = timeout(ANSWER, self.context.get_object_store(&bucket)).await;
        let store = store.map_err(|_| unavailable(&unusable(), "the engine does not answer"))?;
        let store = store.map_err(|error| unavailable(&unusable(), error))?;
        let known = Known { store, bound: Room::bound(&info) };
        self.known.lock().insert(bucket, known.clone());
        Ok(known)
    }
}

/// Returns how many bytes a value of this length takes in a store, or a little more.
fn stored_size(bucket: &str, length: usize) -> u64 {
    /// What the engine adds to a message, and the longest name of its parts.
    const MESSAGE: usize = 128;
    /// The description of a value, without names.
    const DESCRIPTION: usize = 1024;
    let parts = length.div_ceil(CHUNK);
    (length + parts * (MESSAGE + bucket.len()) + DESCRIPTION + 4 * bucket.len()) as u64
}

/// Returns the error for a value that the store can never have.
fn never_fits(kind: Kind, bucket: &str, length: usize, bound: &str) -> Error {
    let (what, instead, option) = match kind {
        Kind::Arguments => ("an argument", "pass its name", "large_arguments"),
        Kind::Outcomes => ("an outcome", "return its name", "large_outcomes"),
    };
    let message = format!(
        "{what} of {length} bytes does not fit into the store `{bucket}`{bound} even when that is empty: write it to a \
         file that all machines can read and {instead}, or let an administrator give the store more room by \
         `Provision::{option}`"
    );
    Error::new(ErrorKind::Encode, message)
}

/// Reads some bytes, and returns how many. It is 0 at the end.
async fn read(from: &mut (impl AsyncRead + Unpin), into: &mut [u8]) -> std::io::Result<usize> {
    // At the end of the value the buffer is full, and a read into nothing does not find the end.
    let mut end = [0; 1];
    let is_full = into.is_empty();
    let mut buffer = ReadBuf::new(if is_full { &mut end } else { into });
    std::future::poll_fn(|context: &mut TaskContext<'_>| -> Poll<std::io::Result<()>> {
        Pin::new(&mut *from).poll_read(context, &mut buffer)
    })
    .await?;
    Ok(buffer.filled().len())
}

/// Returns bytes in the form in which object stores write names into subjects.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let three = [0, 1, 2].map(|at| group.get(at).copied().unwrap_or_default());
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_object_stores_do() {
        for (text, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("h-1-a.7", "aC0xLWEuNw==")] {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }
}
