//! The program's list of initialisers: functions that run before `main`, or when a dynamic library is loaded.

#[cfg(target_os = "linux")]
pub(crate) use crate::sys::system::initialisers::Text;
pub(crate) use crate::sys::system::initialisers::{Call, Entry, define_entry, run_rest};

/// Puts a function into the list that calls `$handler` with a [`Call`].
macro_rules! before_main {
    ($handler:path) => {
        // `used` keeps the entry although nothing refers to it.
        #[used]
        #[cfg_attr(
            any(
                target_os = "linux",
                target_os = "android",
                target_os = "freebsd",
                target_os = "netbsd",
                target_os = "openbsd"
            ),
            unsafe(link_section = ".init_array")
        )]
        #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
        static BEFORE_MAIN: $crate::sys::initialisers::Entry = before_main;

        $crate::sys::initialisers::define_entry!(before_main, BEFORE_MAIN, $handler);
    };
}
pub(crate) use before_main;
