//! Where an entry is: its distance from a static of this crate, with the fingerprint of its types.
#![allow(unsafe_code)]

use std::cell::Cell;

use super::{Entry, entry};
use crate::{Error, ErrorKind};

/// What travels to name a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// How far behind the base the entry lies.
    pub offset: i64,
    /// The entry's [fingerprint](Entry::fingerprint).
    pub fingerprint: u64,
}

/// The base. A static has one address, unlike a function or a constant, which the compiler may copy.
static BASE: u64 = 0x636f_6e63_7572_7265;

fn base() -> usize {
    std::ptr::addr_of!(BASE).addr()
}

impl Address {
    /// The address of an entry.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if the function lies in another file than this crate does: in a dynamic library,
    /// whose place another process does not share.
    pub fn of(entry: &'static Entry) -> Result<Address, Error> {
        thread_local! {
            /// The entry that was asked for last, which mostly is asked for again.
            static LAST: Cell<Option<(&'static Entry, Address)>> = const { Cell::new(None) };
        }
        if let Ok(Some((last, address))) = LAST.try_with(Cell::get)
            && std::ptr::eq(last, entry)
        {
            return Ok(address);
        }
        let address = Address::find(entry)?;
        let _ = LAST.try_with(|last| last.set(Some((entry, address))));
        Ok(address)
    }

    fn find(entry: &'static Entry) -> Result<Address, Error> {
        let at = std::ptr::from_ref(entry).addr();
        if !image::contains(at, size_of::<Entry>()) {
            return Err(Error::new(
                ErrorKind::InvalidArgument,
                format!(
                    "`{}` lies in a dynamic library, where a worker process cannot find it: link it into the program itself",
                    entry.name()
                ),
            ));
        }
        let offset = (at as i64).wrapping_sub(base() as i64);
        Ok(Address { offset, fingerprint: entry.fingerprint() })
    }

    /// The entry at an address that came from another process of this program.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if there is no such entry.
    pub fn resolve(self) -> Result<&'static Entry, Error> {
        let refuse = |reason: &str| {
            Err(Error::new(
                ErrorKind::Decode,
                format!("no function at offset {:#x}: {reason}; both sides must run the same build", self.offset),
            ))
        };
        let at = base().wrapping_add_signed(self.offset as isize);
        if !at.is_multiple_of(align_of::<Entry>()) || !image::contains(at, size_of::<Entry>()) {
            return refuse("it is outside of the program's constants");
        }
        let entry = std::ptr::with_exposed_provenance::<Entry>(at);
        // SAFETY: aligned, and inside a part of the program's own image that is mapped and readable for as long as the
        // program runs, by the checks above.
        if !unsafe { entry::has_magic(entry) } {
            return refuse("there is something else");
        }
        // SAFETY: as above, and it has the magic number that only entries have. Both processes compared their builds
        // before, so it is an entry of this very program.
        let entry = unsafe { &*entry };
        if entry.fingerprint() != self.fingerprint {
            return refuse("there is a function of other types");
        }
        Ok(entry)
    }
}

/// Which parts of memory hold this program's constants.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(super) mod image {
    use std::{ffi::c_void, ops::Range, sync::OnceLock};

    /// A loaded file, as far as it holds this crate.
    #[derive(Debug, Default)]
    pub(in super::super) struct Image {
        /// The parts that are mapped readable from the file.
        pub(in super::super) readable: Vec<Range<usize>>,
        /// Of those, the ones that are never written.
        pub(in super::super) constant: Vec<Range<usize>>,
        /// Where the notes are, the build id among them.
        pub(in super::super) notes: Vec<Range<usize>>,
    }

    /// The image that this crate is in.
    pub(in super::super) fn own() -> &'static Image {
        static IMAGE: OnceLock<Image> = OnceLock::new();
        IMAGE.get_or_init(|| {
            let mut found = Image::default();
            // SAFETY: the callback gets `found` back as its data, which outlives the call.
            unsafe { libc::dl_iterate_phdr(Some(visit), std::ptr::from_mut(&mut found).cast()) };
            found
        })
    }

    pub(super) fn contains(at: usize, size: usize) -> bool {
        let Some(end) = at.checked_add(size) else { return false };
        own().readable.iter().any(|part| part.start <= at && end <= part.end)
    }

    /// Called once for each loaded file; ends the visit at the one that holds the base.
    unsafe extern "C" fn visit(info: *mut libc::dl_phdr_info, _: usize, data: *mut c_void) -> i32 {
        // SAFETY: the loader passes a valid description of a loaded file.
        let info = unsafe { &*info };
        // SAFETY: `data` is the `&mut Image` of `own`, and nobody else uses it during the call.
        let found = unsafe { &mut *data.cast::<Image>() };
        // SAFETY: the description points to that many program headers.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let mut image = Image::default();
        for header in headers {
            let start = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
            let part = start..start.wrapping_add(header.p_memsz as usize);
            match header.p_type {
                libc::PT_LOAD if header.p_flags & libc::PF_R != 0 => {
                    if header.p_flags & libc::PF_W == 0 {
                        image.constant.push(part.clone());
                    }
                    image.readable.push(part);
                }
                libc::PT_NOTE => image.notes.push(part),
                _ => {}
            }
        }
        let base = super::base();
        if image.readable.iter().any(|part| part.contains(&base)) {
            *found = image;
            return 1;
        }
        0
    }
}

/// Where the system does not say what is mapped, the distance alone is checked: a program's image is smaller than this.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
mod image {
    pub(super) fn contains(at: usize, _: usize) -> bool {
        super::base().abs_diff(at) < 1 << 30
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(n: u64) -> u64 {
        n * 2
    }

    fn entry_of<F: crate::Function<A, R>, A: crate::Payload, R: crate::Payload>(_: F) -> &'static Entry {
        Entry::of::<F, A, R>()
    }

    #[test]
    fn an_address_leads_back_to_its_entry() {
        let entry = entry_of(double);
        let found = Address::of(entry).expect("in this program").resolve().expect("resolves");
        assert!(std::ptr::eq(found, entry));
        let mut reply = Vec::new();
        let mut argument = Vec::new();
        crate::codec::encode(&21u64, &mut argument).expect("encodes");
        found.call(&argument, &mut reply);
        assert_eq!(super::super::outcome::read::<u64>(&reply).expect("a value"), 42);
    }

    #[test]
    fn functions_of_other_types_have_other_entries() {
        let (one, other) = (entry_of(|n: u64| n + 1), entry_of(|n: u64| n + 2));
        assert_ne!(Address::of(one).expect("here"), Address::of(other).expect("here"));
        assert_ne!(one.fingerprint(), other.fingerprint());
    }

    #[test]
    fn an_address_that_is_no_entry_is_refused() {
        let real = Address::of(entry_of(double)).expect("in this program");
        let offsets = [0, real.offset + 8, real.offset + 1, i64::MAX, i64::MIN, -1 << 40];
        for offset in offsets {
            assert_eq!(Address { offset, ..real }.resolve().expect_err("no entry").kind(), ErrorKind::Decode);
        }
        assert!(Address { fingerprint: !real.fingerprint, ..real }.resolve().is_err());
    }
}
