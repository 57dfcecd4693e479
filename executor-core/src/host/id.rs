//! The id of a registered host.

/// Identifies a registered [`Host`](super::Host).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct HostId(u32);

impl HostId {
    /// The id of no host.
    pub const NONE: HostId = HostId(0);

    pub(crate) fn from_raw(raw: u32) -> HostId {
        HostId(raw)
    }

    pub(crate) fn raw(self) -> u32 {
        self.0
    }
}
