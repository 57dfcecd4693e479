//! Arguments and outcomes that are too large for a message, in object stores.

use std::{
    collections::HashMap,
    io::Cursor,
    pin::Pin,
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use async_nats::{
    Client,
    jetstream::{
        self,
        object_store::{GetErrorKind, InfoErrorKind, ObjectStore},
    },
};
use executor_core::{Error, ErrorKind, codec::Bytes};
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::watch,
    time::timeout,
};

use super::{
    Status,
    api::{Api, Refusal},
    assets,
    names::Names,
    unavailable,
};
use crate::wire::Reference;

/// The largest value, in bytes. Both sides hold a whole one in memory.
pub(super) const LARGEST: u64 = 1 << 30;

/// How long one operation may take, besides the time that the bytes need.
const ANSWER: Duration = Duration::from_secs(10);

/// How slow the engine may be with the bytes of a value, in bytes for each second.
const SLOWEST: u64 = 1 << 20;

/// The object stores of a pool, one for each user. They are made when they are needed.
pub(super) struct ValueStores {
    context: jetstream::Context,
    api: Api,
    names: Names,
    known: Mutex<HashMap<String, ObjectStore>>,
}

fn time_for(bytes: u64) -> Duration {
    ANSWER + Duration::from_secs(bytes / SLOWEST)
}

impl ValueStores {
    /// Call it in a future that the engine runs, because it starts one of its own.
    pub(super) fn new(client: Client, status: watch::Receiver<Status>, names: Names) -> ValueStores {
        let context = jetstream::ContextBuilder::new().timeout(ANSWER).build(client.clone());
        ValueStores { context, api: Api::new(client, status), names, known: Mutex::default() }
    }

    /// Puts a value into the store of a user, for the first time under this name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] if that is not possible now. [`ErrorKind::Encode`] if it never will be.
    pub(super) async fn put(&self, user: &str, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let store = self.of(user).await?;
        let mut reader = Cursor::new(bytes);
        let put = store.put(name, &mut reader);
        let failed = |reason: String| {
            // Perhaps someone has deleted the store, and it must be made again.
            self.known.lock().remove(user);
            unavailable("a large value cannot be stored", reason)
        };
        match timeout(time_for(bytes.len() as u64), put).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed("the engine does not answer".into())),
        }
    }

    /// Returns whether a value is in the store of a user, or `None` if the engine does not say so.
    pub(super) async fn has(&self, user: &str, name: &str) -> Option<bool> {
        let store = self.of(user).await.ok()?;
        match timeout(ANSWER, store.info(name)).await {
            Ok(Ok(info)) => Some(!info.deleted),
            Ok(Err(error)) if error.kind() == InfoErrorKind::NotFound => Some(false),
            _ => {
                self.known.lock().remove(user);
                None
            }
        }
    }

    /// Returns a value of the store of a user, or `None` if it is not there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] if that is not possible now, and [`ErrorKind::Decode`] if it is another value.
    pub(super) async fn get(&self, user: &str, reference: &Reference) -> Result<Option<Bytes>, Error> {
        let store = self.of(user).await?;
        let failed = |reason: String| {
            self.known.lock().remove(user);
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
            // The last read finds the end, and compares the digest.
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

    /// Removes a value, so that nothing of it is left. If that fails, its age removes it.
    pub(super) async fn remove(&self, user: &str, name: &str) {
        let Ok(store) = self.of(user).await else { return };
        if timeout(ANSWER, store.delete(name)).await.is_ok_and(|deleted| deleted.is_ok()) {
            // What says that there was such a value is as long as a small one.
            let bucket = self.names.values(user);
            let filter = json!({ "filter": format!("$O.{bucket}.M.{}", base64(name.as_bytes())) });
            let _ = self.api.request::<Json>(&format!("STREAM.PURGE.OBJ_{bucket}"), &filter).await;
        }
    }

    /// Returns the store of a user, and makes it if it is missing.
    async fn of(&self, user: &str) -> Result<ObjectStore, Error> {
        if let Some(store) = self.known.lock().get(user) {
            return Ok(store.clone());
        }
        let bucket = self.names.values(user);
        let unusable = || format!("the store `{bucket}` for large values cannot be used");
        match self.api.request::<Json>(&format!("STREAM.INFO.OBJ_{bucket}"), &Json::Null).await {
            Err(Refusal::Missing) => self.create(&bucket).await.map_err(|refusal| refusal.into_error(&unusable()))?,
            Ok(_) | Err(Refusal::Denied) => {}
            Err(refusal) => return Err(refusal.into_error(&unusable())),
        }
        let store = timeout(ANSWER, self.context.get_object_store(&bucket)).await;
        let store = store.map_err(|_| unavailable(&unusable(), "the engine does not answer"))?;
        let store = store.map_err(|error| unavailable(&unusable(), error))?;
        self.known.lock().insert(user.to_string(), store.clone());
        Ok(store)
    }

    async fn create(&self, bucket: &str) -> Result<(), Refusal> {
        // Values are as safe as the tasks that name them.
        let info = self.api.request::<Json>(&format!("STREAM.INFO.{}", self.names.stream()), &Json::Null).await;
        let replicas = info.ok().and_then(|info| info["config"]["num_replicas"].as_u64()).unwrap_or(1);
        assets::create_store(&self.api, bucket, replicas).await
    }
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
