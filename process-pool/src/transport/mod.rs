//! How the parent and one worker communicate: a stream of bytes in each direction, and claims, which decide whether a
//! task may start.
//!
//! Each worker has a link of its own, with the parent at the other end. Workers share nothing with each other, so a
//! worker that dies at any moment leaves the links of the others intact.
//!
//! A link is a socketpair, which is closed when either side ends. With [`Transport::Socket`] it also carries the bytes.
//! With [`Transport::Ring`] the bytes go through shared memory, and the socket only wakes the parent.
//!
//! Descriptors go through a [channel](descriptors) of their own, which both kinds have.
//!
//! Both kinds implement the same traits: [`Outbox`] and [`Inbox`] in the parent, which never block, and [`Port`] in the
//! worker, which does. [`NewLink::make`] makes a link in the parent, and [`attach`] opens the worker's end of it.

mod claims;
pub(crate) mod descriptors;
mod ends;
mod link;
pub(crate) mod ring;
pub(crate) mod socket;

pub use link::Transport;
pub(crate) use {
    crate::sys::{clock::monotonic_now, pipe::bytes_in_pipe},
    claims::{Claim, Claims, ITEM_MODULUS},
    ends::{Inbox, Outbox, Port},
    link::{NewLink, attach},
    ring::report::{Report, STDERR_CHUNK},
};
