//! The address of an entry: its distance from a static of this crate, with the fingerprint of its types.
#![allow(unsafe_code)]

use std::cell::Cell;

use super::{
    Entry, entry,
    image::{self, Image},
};
use crate::{Error, ErrorKind};

/// Names a function for another process of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The distance of the entry from one static of this crate.
    pub offset: i64,
    /// The entry's [fingerprint](Entry::fingerprint).
    pub fingerprint: u64,
}

impl Address {
    /// Returns the address of an entry.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if the function and this crate are in different files. Then one of them is in a
    /// dynamic library, and the distance between two files differs from process to process.
    pub fn of(entry: &'static Entry) -> Result<Address, Error> {
        thread_local! {
            /// The last entry of this thread, which usually is the next one too.
            static LAST: Cell<Option<(&'static Entry, Address)>> = const { Cell::new(None) };
        }
        if let Ok(Some((last, address))) = LAST.try_with(Cell::get) {
            if std::ptr::eq(last, entry) {
                return Ok(address);
            }
        }
        let address = Address::find(entry)?;
        let _ = LAST.try_with(|last| last.set(Some((entry, address))));
        Ok(address)
    }

    /// Returns the address of an entry, on the slow path of [`of`](Address::of).
    #[cold]
    #[inline(never)]
    fn find(entry: &'static Entry) -> Result<Address, Error> {
        let at = std::ptr::from_ref(entry).addr();
        if !image::own().is_constant(at, size_of::<Entry>()) {
            return Err(in_different_files(entry, image::holding(at).as_ref(), image::own()));
        }
        let offset = (at as i64).wrapping_sub(image::anchor() as i64);
        Ok(Address { offset, fingerprint: entry.fingerprint() })
    }

    /// Returns the entry at an address that came from another process of this program.
    ///
    /// An address is refused if the memory there can be written, or if the magic number or the fingerprint is wrong.
    /// But any part of a program may hold numbers that look like an entry. So these checks find mistakes, but do not
    /// make a call safe, and safe code cannot call this:
    ///
    /// ```compile_fail,E0133
    /// # mod concurrent_futures { pub use executor_core::*; pub mod backend { pub use executor_core::*; } }
    /// let forged = concurrent_futures::backend::function::Address { offset: 8, fingerprint: 0 };
    /// forged.resolve();
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`] if there is no such entry.
    ///
    /// # Safety
    ///
    /// - [`Address::of`] returned this address, in a process whose [`BuildId`](super::BuildId) is the one of this
    ///   process.
    /// - If the function captures values of no size, these may exist in this process too. See
    ///   [`Function`](crate::Function).
    pub unsafe fn resolve(self) -> Result<&'static Entry, Error> {
        let refuse = |reason: &str| {
            Err(Error::new(
                ErrorKind::Decode,
                format!("no function at offset {:#x}: {reason}; both sides must run the same build", self.offset),
            ))
        };
        let at = isize::try_from(self.offset).map_or(0, |offset| image::anchor().wrapping_add_signed(offset));
        if at % align_of::<Entry>() != 0 || !image::own().is_constant(at, size_of::<Entry>()) {
            return refuse("it is outside of the program's constants");
        }
        let entry = std::ptr::with_exposed_provenance::<Entry>(at);
        // SAFETY: by the checks above the address is aligned, and inside a part of the program's own image that is
        // mapped and readable for as long as the program runs.
        if !unsafe { entry::has_magic(entry) } {
            return refuse("there is something else");
        }
        // SAFETY: as above, and by the contract there is an entry here.
        let entry = unsafe { &*entry };
        if entry.fingerprint() != self.fingerprint {
            return refuse("there is a function of other types");
        }
        Ok(entry)
    }
}

/// Returns the error that a function and this crate are in different files.
#[cold]
fn in_different_files(entry: &Entry, function: Option<&Image>, this: &Image) -> Error {
    let place = function.map_or_else(|| "memory that belongs to no file".to_string(), Image::title);
    let advice = match function {
        Some(function) if function.is_program() => {
            "link the crate `concurrent-futures-core` into the program, without `-C prefer-dynamic` or a crate of type \
             `dylib` around it"
        }
        _ => "move the function into a crate that is linked into the program itself",
    };
    Error::new(
        ErrorKind::InvalidArgument,
        format!(
            "`{}` lies in {place} and the crate `concurrent-futures-core` in {}, so a worker process cannot find it: \
             {advice}",
            entry.name(),
            this.title()
        ),
    )
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
        let address = Address::of(entry).expect("in this program");
        // SAFETY: this process made it.
        let found = unsafe { address.resolve() }.expect("resolves");
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

    /// Resolves an address that is refused, or belongs to an entry of this test program.
    fn resolve(address: Address) -> Result<&'static Entry, Error> {
        // SAFETY: an address that this process did not make is refused before an entry is read, because the tests forge
        // the magic number only outside the program's constants.
        unsafe { address.resolve() }
    }

    #[test]
    fn an_address_that_is_no_entry_is_refused() {
        let real = Address::of(entry_of(double)).expect("in this program");
        // The last three are the real one to a program that loses the upper half.
        let offsets = [0, real.offset + 8, real.offset + 1, i64::MAX, i64::MIN, -1 << 40]
            .into_iter()
            .chain([1 << 32, -1 << 32, 1 << 63].map(|beyond| real.offset ^ beyond));
        for offset in offsets {
            assert_eq!(resolve(Address { offset, ..real }).expect_err("no entry").kind(), ErrorKind::Decode);
        }
        assert!(resolve(Address { fingerprint: !real.fingerprint, ..real }).is_err());
    }

    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    #[test]
    fn a_copy_of_an_entry_in_writable_memory_is_refused() {
        use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
        const WORDS: usize = size_of::<Entry>() / 8;
        static IN_DATA: [AtomicU64; WORDS] = [const { AtomicU64::new(1) }; WORDS];
        static IN_BSS: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];
        let on_heap: Box<[AtomicU64; WORDS]> = Box::new([const { AtomicU64::new(0) }; WORDS]);
        let real = Address::of(entry_of(double)).expect("in this program");
        for forged in [&IN_DATA, &IN_BSS, &*on_heap] {
            // An exact copy of an entry.
            for (number, word) in forged.iter().enumerate() {
                let at = std::ptr::from_ref(entry_of(double)).cast::<u64>();
                // SAFETY: the entry has that many words, and is all initialised: it has no padding.
                word.store(unsafe { at.add(number).read() }, Relaxed);
            }
            let offset = (forged.as_ptr().addr() as i64).wrapping_sub(image::anchor() as i64);
            let error = resolve(Address { offset, ..real }).expect_err("it is no constant");
            assert!(error.to_string().contains("constants"), "{error}");
        }
    }

    #[test]
    fn a_function_that_lies_in_another_file_is_refused_with_the_place_of_each() {
        let (program, library) = (Image::fake(true, ""), Image::fake(false, "/lib/libx.so"));
        let said = |function, this| in_different_files(entry_of(double), function, this).to_string();
        let text = said(Some(&program), &library);
        assert!(
            text.contains(
                "double` lies in the program and the crate `concurrent-futures-core` in the dynamic library \
                 `/lib/libx.so`"
            ),
            "{text}"
        );
        assert!(text.contains("link the crate `concurrent-futures-core` into the program"), "{text}");
        let text = said(Some(&library), &program);
        assert!(
            text.contains(
                "double` lies in the dynamic library `/lib/libx.so` and the crate `concurrent-futures-core` in the \
                 program"
            ),
            "{text}"
        );
        assert!(text.contains("move the function into a crate"), "{text}");
        assert!(said(None, &program).contains("memory that belongs to no file"));
    }
}
