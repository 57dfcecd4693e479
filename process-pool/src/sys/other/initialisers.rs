//! The program's list of initialisers. These systems do not tell where it is.

use executor_core::function::image::Image;

/// The type of the functions in the list.
pub(crate) type Entry = extern "C" fn();

/// One call of an entry by the loader.
pub(crate) struct Call {
    pub(crate) entry: &'static Entry,
}

/// Defines an [`Entry`] function that passes its [`Call`] to `$handler`.
macro_rules! define_entry {
    ($name:ident, $entry:ident, $handler:path) => {
        extern "C" fn $name() {
            $handler($crate::sys::initialisers::Call { entry: &$entry });
        }
    };
}
pub(crate) use define_entry;

impl Call {
    /// Does nothing.
    pub(crate) fn note(self) {
        let _ = self.entry;
    }
}

/// Does nothing: entries that have not run before a worker serves never run in it.
pub(crate) fn run_rest(_: Option<&Image>) {}
