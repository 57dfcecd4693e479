//! Which processes are alive: the kernel's word about each process that shares an object.
//!
//! A roster is a file. Each process that shares an object takes a number from the counter at its beginning, which is
//! never given again, and takes the record lock on the byte of that number. The kernel removes the lock after the last
//! thread of the process has stopped, however it ends. A record lock belongs to one process: its forked children do not
//! have it, and it means the same in every pid namespace.
//!
//! A process loses its record locks when it closes *any* descriptor of the file. So the file itself never travels: with
//! objects travels the end of a socket, in which a message with the file lies forever. A process that joins looks at
//! the message without taking it, which gives it a descriptor of its own. The socket may be received and closed any
//! number of times.
//!
//! A process belongs to one roster, its *home*, for all objects that it makes: the roster of the first object that it
//! made or received. It joins the rosters of other objects that it receives, and leaves each with the last of those.
//!
//! A roster is for processes that die, not for processes that attack: one that has a roster can end the possession of
//! others. That costs objects their exclusion, and never the memory of a process.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
pub(crate) use linux::Member;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::Member;
