//! The place of this copy of the crate, and how it differs from other copies in the same program.

use std::{
    any::TypeId,
    hash::{DefaultHasher, Hash, Hasher},
    sync::OnceLock,
};

use executor_core::{
    Error, ErrorKind,
    function::image::{self, Image},
};

/// Identifies this copy. A static has one address, and no other copy has it.
static THIS_COPY: u8 = 0;

fn address() -> usize {
    std::ptr::addr_of!(THIS_COPY).addr()
}

/// Returns the loaded file that contains this copy, or `None` if the system cannot tell.
pub(crate) fn image() -> Option<&'static Image> {
    static IMAGE: OnceLock<Option<Image>> = OnceLock::new();
    IMAGE.get_or_init(|| image::holding(address())).as_ref()
}

/// Returns a number that identifies this copy in the program and in its workers. A program may have two copies: two
/// versions of the crate, or one from a registry and one from git. A worker serves the copy that has started it.
pub(super) fn copy() -> u64 {
    struct OfThisCopy;
    let mut hasher = DefaultHasher::new();
    env!("CARGO_PKG_VERSION").hash(&mut hasher);
    // It differs between crates. Two static libraries that were built separately may share it, so the address counts
    // too.
    TypeId::of::<OfThisCopy>().hash(&mut hasher);
    image().map(|image| address().wrapping_sub(image.base())).hash(&mut hasher);
    hasher.finish()
}

/// Returns an error if workers cannot find this crate, because it is not in the program that they run.
///
/// A library that is loaded later is not loaded before `main` in a worker, which would then run the program's own
/// `main`. A library that is loaded at the start is there, but does not find the functions that are in the program.
pub(crate) fn check() -> Result<(), Error> {
    let library = [image(), Some(image::own())].into_iter().flatten().find(|image| !image.is_program());
    library.map_or(Ok(()), |image| Err(is_library(image)))
}

#[cold]
fn is_library(image: &Image) -> Error {
    Error::new(
        ErrorKind::Broken,
        format!(
            "a pool of processes cannot be built here: its code lies in {}, and a worker is the program run again, \
             which does not have that library before its `main`. Link the crate into the program itself, submit to \
             threads, or have the library start a program of its own that has the pool",
            image.title()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_copy_is_in_the_program_and_has_one_number() {
        assert!(image().is_none_or(Image::is_program));
        check().expect("it is in the program");
        assert_eq!(copy(), copy());
        assert_ne!(copy(), 0);
    }
}
