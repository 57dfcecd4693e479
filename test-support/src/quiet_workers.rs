//! What a test program writes once so that its workers are [quiet](crate::quiet), where that is possible.

/// Makes a file the standard error of this process before `main`. If a test fails or the process aborts, the file is
/// copied to the console; otherwise it is forgotten. Tests kill their workers in every way, and what those say about it
/// looks like a crash of the tests.
///
/// Write this once in a test program. It has an effect on Linux with glibc.
#[macro_export]
macro_rules! quiet_workers {
    () => {
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        #[allow(unsafe_code)]
        const _: () = {
            #[used]
            // SAFETY: the C library calls the functions in this list before `main`, and they take no arguments that
            // this one would need.
            #[unsafe(link_section = ".init_array")]
            static QUIET: extern "C" fn() = $crate::keep_standard_error;
        };
    };
}
