//! Bytes as arrays of a fixed length.

/// Splits bytes into arrays of `LENGTH` bytes, and returns these and the bytes that are left.
///
/// The standard library has `as_chunks` since Rust 1.88.
#[inline]
pub(crate) fn chunks<const LENGTH: usize>(bytes: &[u8]) -> (impl Iterator<Item = [u8; LENGTH]> + '_, &[u8]) {
    let chunks = bytes.chunks_exact(LENGTH);
    let rest = chunks.remainder();
    (chunks.map(|chunk| chunk.try_into().expect("every chunk has this length")), rest)
}

#[cfg(test)]
mod tests {
    use super::chunks;

    #[test]
    fn bytes_are_split_into_arrays_and_a_rest() {
        let (arrays, rest) = chunks::<2>(b"abcde");
        assert_eq!((arrays.collect::<Vec<_>>(), rest), (vec![*b"ab", *b"cd"], &b"e"[..]));
        let (arrays, rest) = chunks::<8>(b"abc");
        assert_eq!((arrays.count(), rest), (0, &b"abc"[..]));
    }
}
