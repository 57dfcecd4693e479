//! The identity of a build of the program.
#![allow(unsafe_code)]

use std::{fmt, sync::OnceLock};

use crate::chunks::chunks;

/// Identifies a build. Two processes with the same build id run the same code, with the functions at the same
/// distances.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BuildId([u8; 20]);

impl BuildId {
    /// Returns the build of this process: the id that the linker put into the program, or, if there is none, a hash of
    /// the program's constant parts.
    pub fn own() -> BuildId {
        static OWN: OnceLock<BuildId> = OnceLock::new();
        *OWN.get_or_init(|| from_note(parts::notes()).unwrap_or_else(from_contents))
    }

    /// Returns the bytes, for a protocol or a queue name.
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// Returns the id with these bytes, from a protocol.
    pub fn from_bytes(bytes: [u8; 20]) -> BuildId {
        BuildId(bytes)
    }

    /// Hashes a description of any length into an id.
    fn digest(parts: &[&[u8]]) -> BuildId {
        let mut id = [0; 20];
        for (lane, out) in id.chunks_mut(8).enumerate() {
            // FNV-1a over eight bytes at a time, with a different start for each lane. It distinguishes builds, but
            // does not protect against a forged id.
            let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ (lane as u64) << 32;
            for part in parts {
                let (words, rest) = chunks::<8>(part);
                for word in words {
                    hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
                }
                for byte in rest {
                    hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
                }
            }
            out.copy_from_slice(&hash.to_le_bytes()[..out.len()]);
        }
        BuildId(id)
    }
}

impl fmt::Debug for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
mod parts {
    use std::ops::Range;

    use super::super::image;

    fn slices(ranges: &'static [Range<usize>]) -> impl Iterator<Item = &'static [u8]> {
        ranges.iter().map(|part| {
            let start = std::ptr::with_exposed_provenance::<u8>(part.start);
            // SAFETY: the part is mapped, readable and never written for as long as the program runs: it lies in a
            // read-only segment of the program's own file.
            unsafe { std::slice::from_raw_parts(start, part.len()) }
        })
    }

    pub(super) fn constant() -> impl Iterator<Item = &'static [u8]> {
        slices(image::own().constant())
    }

    pub(super) fn notes() -> impl Iterator<Item = &'static [u8]> {
        let image = image::own();
        let constant =
            |note: &&Range<usize>| image.constant().iter().any(|part| part.start <= note.start && note.end <= part.end);
        image.notes().iter().filter(constant).flat_map(|note| slices(std::slice::from_ref(note)))
    }
}

/// On a system that does not report what is mapped, the version of this crate identifies the build.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
mod parts {
    pub(super) fn constant() -> impl Iterator<Item = &'static [u8]> {
        [env!("CARGO_PKG_VERSION").as_bytes()].into_iter()
    }

    pub(super) fn notes() -> impl Iterator<Item = &'static [u8]> {
        std::iter::empty()
    }
}

/// Finds the `NT_GNU_BUILD_ID` note: a header of three words, the name `GNU`, and the id.
fn from_note<'a>(notes: impl Iterator<Item = &'a [u8]>) -> Option<BuildId> {
    const NT_GNU_BUILD_ID: u32 = 3;
    for mut notes in notes {
        while let Some((header, rest)) = notes.split_first_chunk::<12>() {
            // The words have the byte order of the machine.
            let word = |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
            let (name_length, length) = (word(0) as usize, word(4) as usize);
            let (name, rest) = rest.split_at_checked(name_length.next_multiple_of(4))?;
            let (contents, rest) = rest.split_at_checked(length.next_multiple_of(4))?;
            if word(8) == NT_GNU_BUILD_ID && name.starts_with(b"GNU\0") && length > 0 {
                let contents = &contents[..length];
                let exact = contents.try_into().map(BuildId);
                return Some(exact.unwrap_or_else(|_| BuildId::digest(&[contents])));
            }
            notes = rest;
        }
    }
    None
}

fn from_contents() -> BuildId {
    BuildId::digest(&parts::constant().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_has_one_id() {
        assert_eq!(BuildId::own(), BuildId::own());
        assert_ne!(from_contents(), BuildId::digest(&[]));
        assert_eq!(from_contents(), from_contents());
    }

    #[test]
    fn the_id_is_found_in_notes_of_this_machine() {
        let note = |kind: u32, name: &[u8; 4], id: &[u8]| {
            let words = [name.len() as u32, id.len() as u32, kind].map(u32::to_ne_bytes);
            [words.as_flattened(), name, id, &vec![0; id.len().next_multiple_of(4) - id.len()]].concat()
        };
        let id: [u8; 20] = std::array::from_fn(|number| number as u8 + 1);
        let all = [note(1, b"GNU\0", &[9; 16]), note(3, b"Go\0\0", &[8; 20]), note(3, b"GNU\0", &id)].concat();
        assert_eq!(from_note([&[][..], &all].into_iter()), Some(BuildId(id)));
        let short = note(3, b"GNU\0", &[5; 7]);
        assert_eq!(from_note([&short[..]].into_iter()), Some(BuildId::digest(&[&[5; 7]])));
        assert_eq!(from_note([&all[..all.len() - 1]].into_iter()), None, "it is cut off");
        assert_eq!(from_note([&note(3, b"GNU\0", &[])[..]].into_iter()), None);
        #[cfg(all(target_os = "linux", not(miri)))]
        assert!(parts::notes().count() > 0, "a program has notes");
    }

    #[test]
    fn descriptions_that_differ_in_one_byte_differ() {
        assert_ne!(BuildId::digest(&[b"abcdefgh1"]), BuildId::digest(&[b"abcdefgh2"]));
        assert_ne!(BuildId::digest(&[b"1bcdefgh"]), BuildId::digest(&[b"2bcdefgh"]));
    }
}
