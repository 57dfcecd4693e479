//! What waits until the thread of the engine sends it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How many bytes may wait. What comes then is dropped, and whoever sent it repeats it later.
const MOST: usize = 64 << 20;

/// What a message counts besides its bytes.
const OVERHEAD: usize = 128;

/// The entrance, for any thread. It never blocks.
pub(super) struct Outgoing<M> {
    sender: UnboundedSender<(M, usize)>,
    shared: Arc<Shared>,
}

/// The exit, for the thread of the engine.
pub(super) struct Outlet<M> {
    receiver: UnboundedReceiver<(M, usize)>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    is_open: AtomicBool,
    /// How many bytes wait.
    bytes: AtomicUsize,
}

/// Makes both ends, which let nothing through until they are [opened](Outgoing::set_open).
pub(super) fn outgoing<M>() -> (Outgoing<M>, Outlet<M>) {
    let (sender, receiver) = unbounded_channel();
    let shared = Arc::new(Shared::default());
    (Outgoing { sender, shared: shared.clone() }, Outlet { receiver, shared })
}

impl<M> Outgoing<M> {
    /// Sends a message of this many bytes. It is lost if there is no connection, or too much waits.
    pub(super) fn send(&self, message: M, bytes: usize) {
        // ORDERING: Relaxed. A message that is sent, or not, because a value is a moment too old is no harm.
        if !self.shared.is_open.load(Relaxed) || self.shared.bytes.load(Relaxed) >= MOST {
            return;
        }
        self.put(message, bytes);
    }

    /// Sends a message even if too much waits, for those that no one repeats.
    pub(super) fn put(&self, message: M, bytes: usize) {
        // ORDERING: Relaxed, as in `send`.
        if self.shared.is_open.load(Relaxed) {
            self.shared.bytes.fetch_add(bytes + OVERHEAD, Relaxed);
            // The thread may have ended.
            let _ = self.sender.send((message, bytes + OVERHEAD));
        }
    }

    /// Notes whether there is a connection.
    pub(super) fn set_open(&self, is_open: bool) {
        // ORDERING: Relaxed, as in `send`.
        self.shared.is_open.store(is_open, Relaxed);
    }
}

impl<M> Outlet<M> {
    /// Waits for messages, and adds a few to `messages`. Returns whether there will be more.
    pub(super) async fn receive(&mut self, messages: &mut Vec<(M, usize)>) -> bool {
        const AT_ONCE: usize = 256;
        if self.receiver.recv_many(messages, AT_ONCE).await == 0 {
            return false;
        }
        // What lies in the socket is handled first, and what follows from it is sent together with this.
        tokio::task::yield_now().await;
        while messages.len() < AT_ONCE {
            let Ok(message) = self.receiver.try_recv() else { break };
            messages.push(message);
        }
        true
    }

    /// Notes that a message was taken.
    pub(super) fn taken(&self, bytes: usize) {
        // ORDERING: Relaxed, as in `send`.
        self.shared.bytes.fetch_sub(bytes, Relaxed);
    }

    /// Returns whether there is a connection.
    pub(super) fn is_open(&self) -> bool {
        // ORDERING: Relaxed, as in `send`.
        self.shared.is_open.load(Relaxed)
    }
}

/// A message that can take in a later one, so that both are sent as one.
pub(super) trait Join: Sized {
    /// Returns whether both are of one kind, for one receiver.
    fn is_alike(&self, later: &Self) -> bool;

    /// Takes in a message that is alike and was sent after this one, or returns it.
    fn join(&mut self, later: Self) -> Option<Self>;
}

/// Takes the messages that wait together, and joins those that are alike. Their order is kept.
///
/// What the thread of the engine has not sent yet was sent by several events, each with a frame of its own. A frame
/// costs the server as much with one record as with a hundred.
pub(super) fn joined<M: Join>(messages: &mut Vec<(M, usize)>) -> Vec<M> {
    /// How many of the last messages are looked at.
    const NEAR: usize = 64;
    let mut all: Vec<M> = Vec::with_capacity(messages.len());
    for (message, _) in messages.drain(..) {
        let near = all.iter_mut().rev().take(NEAR).find(|earlier| earlier.is_alike(&message));
        let rest = match near {
            Some(earlier) => earlier.join(message),
            None => Some(message),
        };
        all.extend(rest);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number for a receiver.
    impl Join for (u8, u32) {
        fn is_alike(&self, later: &Self) -> bool {
            self.0 == later.0
        }
        fn join(&mut self, later: Self) -> Option<Self> {
            let may = self.1 < 100;
            self.1 += if may { later.1 } else { 0 };
            (!may).then_some(later)
        }
    }

    #[test]
    fn what_waits_together_is_joined_in_order() {
        let mut messages =
            [(1, 1), (2, 5), (1, 2), (1, 200), (1, 4), (2, 6), (1, 8)].map(|message| (message, 0)).to_vec();
        // The first one gets too long, and what comes after it does not overtake what follows it.
        assert_eq!(joined(&mut messages), [(1, 203), (2, 11), (1, 12)]);
        assert!(messages.is_empty());
    }

    #[test]
    fn nothing_waits_without_a_connection_and_not_too_much_with_one() {
        let (outgoing, mut outlet) = outgoing();
        outgoing.send(1, 10);
        outgoing.set_open(true);
        outgoing.send(2, MOST);
        outgoing.send(3, 10);
        outgoing.put(4, 10);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut messages = Vec::new();
        assert!(runtime.block_on(outlet.receive(&mut messages)));
        assert_eq!(messages, [(2, MOST + OVERHEAD), (4, 10 + OVERHEAD)]);
        messages.drain(..).for_each(|(_, bytes)| outlet.taken(bytes));
        outgoing.send(5, 10);
        drop(outgoing);
        assert!(runtime.block_on(outlet.receive(&mut messages)));
        assert_eq!(messages, [(5, 10 + OVERHEAD)]);
        assert!(!runtime.block_on(outlet.receive(&mut messages)));
    }
}
