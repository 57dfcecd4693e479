//! Places at which a text may be cut. The standard library has these functions since Rust 1.91.

/// Returns the last boundary between two characters that is not behind `index`, or the length of the text.
pub fn floor(text: &str, index: usize) -> usize {
    (0..=index.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Returns the first boundary between two characters that is not before `index`, or the length of the text.
pub fn ceil(text: &str, index: usize) -> usize {
    (index..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        let text = "a€b";
        assert_eq!([0, 1, 2, 3, 4, 5, 6].map(|index| floor(text, index)), [0, 1, 1, 1, 4, 5, 5]);
        assert_eq!([0, 1, 2, 3, 4, 5, 6].map(|index| ceil(text, index)), [0, 1, 4, 4, 4, 5, 5]);
        assert_eq!((floor("", 3), ceil("", 3)), (0, 0));
    }
}
