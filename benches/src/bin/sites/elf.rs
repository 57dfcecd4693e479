//! The size of the code of a program, as its file says.

/// Returns the size of the section `.text` of an ELF file with 64-bit words, least significant byte first. Returns
/// `None` for any other file.
pub(crate) fn code_size(file: &[u8]) -> Option<usize> {
    let number = |at: usize, bytes: usize| -> Option<usize> {
        let mut word = [0; 8];
        word[..bytes].copy_from_slice(file.get(at..at + bytes)?);
        usize::try_from(u64::from_le_bytes(word)).ok()
    };
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    // The header of the file: where the headers of the sections are, their size and number, and which has the names.
    let (sections, size, count, names) = (number(40, 8)?, number(58, 2)?, number(60, 2)?, number(62, 2)?);
    let names = number(sections + names * size + 24, 8)?;
    (0..count).find_map(|section| {
        let header = sections + section * size;
        let name = file.get(names + number(header, 4)?..)?;
        name.starts_with(b".text\0").then(|| number(header + 32, 8))?
    })
}
