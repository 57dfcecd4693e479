//! What clients and agents send each other, as bytes.
//!
//! - A [`Submission`] is a task as it waits in the engine's queue.
//! - A frame has any number of records from one peer to another: [`ToClient`] or [`ToAgent`]. [`pack`] writes frames,
//!   and [`unpack`] reads one.
//!
//! ```text
//! submission  version u8 | build 20 bytes | task u64 | offset i64 | fingerprint u64 | items u32 | time limit u64
//!             | priority i32 | name length u16 | name | 0 u8 | argument
//!                                                   or | 1 u8 | reference
//! reference   length of the value u64 | shared u8 | name length u8 | name
//! frame       version u8 | direction u8 | sender length u8 | sender | record*
//! record      tag u8 | fields
//! ```
//!
//! All numbers are little-endian. Whatever arrives is checked as a whole before any of it is used: a frame with one
//! damaged record is [`Malformed`], and none of its records counts. Decoding allocates no more than a small multiple of
//! the bytes that arrived.

mod frame;
mod malformed;
mod peer;
mod reader;
mod record;
mod reference;
mod submission;

pub(crate) use frame::join;
pub use frame::{FRAME, pack, unpack};
pub use malformed::Malformed;
pub use peer::Peer;
pub use record::{Ask, Record, Returned, ToAgent, ToClient};
pub use reference::Reference;
pub(crate) use submission::too_long;
pub use submission::{Argument, Submission};

/// The longest message that a server of NATS accepts, in bytes, unless it is configured otherwise.
pub const LONGEST_MESSAGE: usize = 1 << 20;

/// A frame with one outcome has at most so many bytes more than the outcome.
pub const FRAME_OVERHEAD: usize = 256;

/// The version of the layout. A client and an agent are the same build of one program, so this finds mistakes only.
const VERSION: u8 = 1;
