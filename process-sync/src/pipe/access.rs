//! Who may connect to a listener.

use std::fmt;

/// Who may connect.
#[derive(Clone, Copy)]
pub enum Access<'a> {
    /// Processes of the user of this one, and only to such a listener. The kernel knows who that is.
    SameUser,
    /// Processes that have the same key, of any user. The key itself is not sent.
    Key(&'a [u8]),
}

impl fmt::Debug for Access<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::SameUser => "SameUser",
            Access::Key(_) => "Key(..)",
        })
    }
}
