//! How descriptors travel with the items of a queue: beside the ring, in a socket pair.
//!
//! An item with handles has a *ticket*, a number that no other item has. Before it is committed, a packet with the
//! ticket and the descriptors goes into the lane, under the lock of the queue. A get looks at the packet at the front,
//! which copies its descriptors, commits, and only then removes the packet. So at every instant the packet at the front
//! is that of the next item with handles, or one whose put or get has died, which has another ticket and is removed.
//! The kernel keeps the files of packets alive, and closes them with the last end of the lane.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
pub(crate) use linux::Lane;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::Lane;

/// A message can have so many handles. Linux takes no more descriptors in one packet.
pub(crate) const MOST_HANDLES: usize = 253;

/// What became of the packet of an item.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub(crate) enum Sent {
    Yes,
    /// The lane takes no more before a packet is removed.
    Full,
    /// The lane is empty, and this user has more descriptors under way elsewhere than the limit of this process allows.
    /// Nothing reports that there are fewer.
    TooMany,
}
