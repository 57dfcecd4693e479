//! Names that no other process has.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Returns a name of 22 letters and digits that no one else has, in this process or another one.
///
/// It is no secret: everyone who may read subjects sees it.
pub(crate) fn name() -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    // Each of these has keys of its own, which come from the system's random numbers.
    let half = || {
        let mut hasher = RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        hasher.finish()
    };
    let mut rest = u128::from(half()) << 64 | u128::from(half());
    (0..22)
        .map(|_| {
            let digit = DIGITS[(rest % 32) as usize];
            rest /= 32;
            char::from(digit)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn no_two_names_are_equal() {
        let names: HashSet<String> = (0..1000).map(|_| super::name()).collect();
        assert_eq!(names.len(), 1000);
    }
}
