//! Other systems have no control groups.

use std::{ffi::OsString, path::Path};

/// There is no value of this type.
#[derive(Debug)]
pub(crate) enum ControlGroup {}

impl ControlGroup {
    /// Returns `None`.
    pub(crate) fn make() -> Option<ControlGroup> {
        None
    }

    pub(crate) fn of_slot(&self, _: usize) -> Option<OsString> {
        match *self {}
    }

    pub(crate) fn end(&self, _: usize) {
        match *self {}
    }
}

/// Does nothing.
pub(crate) fn join(_: &Path) {}

/// Does nothing.
pub(crate) fn leave() {}
