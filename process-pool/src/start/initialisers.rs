//! The initialisers of the program that come behind this crate's own.
//!
//! A program has a list of functions that run before `main`: constructors of C++, and the registrations of crates like
//! `inventory`, `ctor` and `typetag`. This crate's entry is one of them, somewhere in the list. A worker never returns
//! from it, so it runs the rest of the list itself, before the first task and before the pool's initializer: functions
//! find in a worker what they find in `main`. The initialisers of dynamic libraries have all run before the first of
//! the program's.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

pub(super) use list::{Entry, note};

/// Whether this process is a worker that does not serve yet.
static IS_STARTING: AtomicBool = AtomicBool::new(false);

/// Runs the rest of the list. Nothing is left to run the second time, or where the whole list has run: in a worker that
/// was entered in `main`.
///
/// User code runs in here, with nothing to catch what it does: as before any `main`, a panic ends the process.
pub(crate) fn run_rest() {
    // ORDERING: a thread that an initialiser starts is told in time by its start.
    IS_STARTING.store(true, Relaxed);
    list::run_rest();
    IS_STARTING.store(false, Relaxed);
}

/// Whether the calling code is an initialiser in a worker. One that builds a pool would do so in each worker of that
/// pool too, and so without end.
pub(crate) fn are_running() -> bool {
    IS_STARTING.load(Relaxed)
}

#[cfg(target_os = "linux")]
mod list {
    use std::ffi::{c_char, c_int};

    use parking_lot::Mutex;

    use crate::start::program;

    /// What the list holds.
    pub(in super::super) type Entry = extern "C" fn(c_int, Text, Text);
    /// The arguments, and the environment, as the loader passes them. The C library musl passes nothing: what is read
    /// as an argument is then whatever a register holds, is not looked at, and is handed on the same.
    pub(in super::super) type Text = *const *const c_char;

    /// Where the list goes on, and what its entries are called with.
    struct Rest {
        slot: usize,
        count: c_int,
        arguments: usize,
        environment: usize,
    }

    static REST: Mutex<Option<Rest>> = Mutex::new(None);

    /// Notes down that this process leaves the list in this entry.
    pub(in super::super) fn note(slot: &'static Entry, count: c_int, arguments: Text, environment: Text) {
        let slot = std::ptr::from_ref(slot).expose_provenance();
        let (arguments, environment) = (arguments.expose_provenance(), environment.expose_provenance());
        *REST.lock() = Some(Rest { slot, count, arguments, environment });
    }

    pub(super) fn run_rest() {
        // The lock is not held while they run: one of them may come here.
        let Some(rest) = REST.lock().take() else { return };
        let Some(end) = end_of_list(rest.slot) else { return };
        let mut slot = rest.slot + size_of::<Entry>();
        while slot < end {
            // SAFETY: the slot lies in the program's list, which is aligned, mapped, and written by nobody but the
            // loader.
            let address = unsafe { std::ptr::with_exposed_provenance::<usize>(slot).read() };
            // The two numbers that old tools fill or end such a list with.
            if address != 0 && address != usize::MAX {
                // SAFETY: what is in the list is such a function, which the loader would call like this.
                let entry =
                    unsafe { std::mem::transmute::<*const (), Entry>(std::ptr::with_exposed_provenance(address)) };
                entry(
                    rest.count,
                    std::ptr::with_exposed_provenance(rest.arguments),
                    std::ptr::with_exposed_provenance(rest.environment),
                );
            }
            slot += size_of::<Entry>();
        }
    }

    /// The end of the list that holds this slot. None: it is not known, and what follows the list must not be called.
    fn end_of_list(slot: usize) -> Option<usize> {
        let image = program::image()?;
        let Some(dynamic) = image.dynamic() else { return end_by_symbol().filter(|end| slot < *end) };
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
        // Mostly it counts from the base; a loader may have replaced it by the address.
        let starts = [image.base().wrapping_add(start), start];
        let holds = |start: &usize| *start <= slot && slot < start.wrapping_add(size);
        starts.into_iter().find(holds).map(|start| start + size)
    }

    /// The end as the linker defines it, for static programs without a dynamic section.
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    fn end_by_symbol() -> Option<usize> {
        let end: usize;
        // SAFETY: an address is loaded, from the table in which the linker puts it, or 0 if it does not know the
        // symbol.
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
}

/// Elsewhere the place of the list is not known, and what has not run before a worker does not run.
#[cfg(not(target_os = "linux"))]
mod list {
    pub(in super::super) type Entry = extern "C" fn();

    pub(in super::super) fn note(_: &'static Entry) {}

    pub(super) fn run_rest() {}
}
