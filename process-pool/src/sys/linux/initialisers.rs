//! The program's list of initialisers.
#![allow(unsafe_code)]

use std::ffi::{c_char, c_int};

use executor_core::function::image::Image;
use parking_lot::Mutex;

/// The type of the functions in the list.
pub(crate) type Entry = extern "C" fn(c_int, Text, Text);

/// The arguments, or the environment, as the loader passes them. The C library musl passes nothing: then each has the
/// value that a register happens to hold, and is passed on without being used.
pub(crate) type Text = *const *const c_char;

/// One call of an entry by the loader.
pub(crate) struct Call {
    pub(crate) entry: &'static Entry,
    pub(crate) count: c_int,
    pub(crate) arguments: Text,
    pub(crate) environment: Text,
}

/// Defines an [`Entry`] function that passes its [`Call`] to `$handler`.
macro_rules! define_entry {
    ($name:ident, $entry:ident, $handler:path) => {
        extern "C" fn $name(
            count: std::ffi::c_int,
            arguments: $crate::sys::initialisers::Text,
            environment: $crate::sys::initialisers::Text,
        ) {
            $handler($crate::sys::initialisers::Call { entry: &$entry, count, arguments, environment });
        }
    };
}
pub(crate) use define_entry;

/// The place where the list continues, and the arguments for its entries.
struct Rest {
    entry: usize,
    count: c_int,
    arguments: usize,
    environment: usize,
}

static REST: Mutex<Option<Rest>> = Mutex::new(None);

impl Call {
    /// Records that this process leaves the list in this entry.
    pub(crate) fn note(self) {
        *REST.lock() = Some(Rest {
            entry: std::ptr::from_ref(self.entry).expose_provenance(),
            count: self.count,
            arguments: self.arguments.expose_provenance(),
            environment: self.environment.expose_provenance(),
        });
    }
}

/// Runs the entries after the recorded one, at most once. `image` is the loaded file that holds the list.
pub(crate) fn run_rest(image: Option<&Image>) {
    // The lock is released while they run, because one of them may call this function.
    let Some(rest) = REST.lock().take() else { return };
    let Some(end) = image.and_then(|image| end_of_list(image, rest.entry)) else { return };
    let mut entry = rest.entry + size_of::<Entry>();
    while entry < end {
        // SAFETY: the entry lies in the program's list, which is aligned and mapped, and which only the loader writes.
        let address = unsafe { std::ptr::with_exposed_provenance::<usize>(entry).read() };
        // Old tools fill or end such a list with these two numbers.
        if address != 0 && address != usize::MAX {
            // SAFETY: the list holds such functions, which the loader would call like this.
            let function =
                unsafe { std::mem::transmute::<*const (), Entry>(std::ptr::with_exposed_provenance(address)) };
            function(
                rest.count,
                std::ptr::with_exposed_provenance(rest.arguments),
                std::ptr::with_exposed_provenance(rest.environment),
            );
        }
        entry += size_of::<Entry>();
    }
}

/// Returns the end of the list that holds this entry, or `None` if it is not known. The memory behind the list must not
/// be called.
fn end_of_list(image: &Image, entry: usize) -> Option<usize> {
    let Some(dynamic) = image.dynamic() else { return end_by_symbol().filter(|end| entry < *end) };
    const DT_NULL: usize = 0;
    const DT_INIT_ARRAY: usize = 25;
    const DT_INIT_ARRAYSZ: usize = 27;
    let (mut start, mut size) = (None, None);
    let mut at = dynamic.start;
    while at + size_of::<[usize; 2]>() <= dynamic.end {
        // SAFETY: the dynamic section of a loaded program is mapped and consists of such pairs.
        let [tag, value] = unsafe { std::ptr::with_exposed_provenance::<[usize; 2]>(at).read() };
        match tag {
            DT_NULL => break,
            DT_INIT_ARRAY => start = Some(value),
            DT_INIT_ARRAYSZ => size = Some(value),
            _ => {}
        }
        at += size_of::<[usize; 2]>();
    }
    let (start, size) = (start?, size?);
    // The start counts from the base, unless the loader has replaced it by the address.
    let starts = [image.base().wrapping_add(start), start];
    let holds = |start: &usize| *start <= entry && entry < start.wrapping_add(size);
    starts.into_iter().find(holds).map(|start| start + size)
}

/// Returns the end as the linker defines it, for static programs without a dynamic section.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn end_by_symbol() -> Option<usize> {
    let end: usize;
    // SAFETY: an address is loaded from the table in which the linker puts it, or 0 if it does not know the symbol.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!(
            ".weak __init_array_end",
            ".hidden __init_array_end",
            "mov {}, qword ptr [rip + __init_array_end@GOTPCREL]",
            out(reg) end,
            options(pure, readonly, nostack, preserves_flags),
        );
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!(
            ".weak __init_array_end",
            ".hidden __init_array_end",
            "adrp {0}, :got:__init_array_end",
            "ldr {0}, [{0}, :got_lo12:__init_array_end]",
            out(reg) end,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    (end != 0).then_some(end)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn end_by_symbol() -> Option<usize> {
    None
}
