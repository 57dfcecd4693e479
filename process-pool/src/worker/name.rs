//! The name of a worker in the system's lists of processes: `ps`, `top`, the kernel's log.

use executor_core::boundary;

use crate::sys::process;

/// How many bytes of a name Linux keeps.
const MOST: usize = 15;

/// Gives this process the worker's name.
pub(super) fn set(name: &str) {
    if let Ok(name) = std::ffi::CString::new(shortened(name)) {
        process::set_name(&name);
    }
}

/// Shortens a name. The numbers at its end distinguish workers, so the text before them is cut.
fn shortened(name: &str) -> String {
    if name.len() <= MOST {
        return name.to_string();
    }
    let text = name.trim_end_matches(|character: char| character.is_ascii_digit() || "-_".contains(character));
    let numbers = &name[text.len()..];
    let numbers = &numbers[numbers.len().saturating_sub(MOST)..];
    let text = &text[..boundary::floor(text, MOST - numbers.len())];
    format!("{text}{numbers}")
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn a_name_that_is_too_long_keeps_the_numbers_at_its_end() {
        for (name, short) in [
            ("parser_0", "parser_0"),
            ("fifteen-bytes_1", "fifteen-bytes_1"),
            ("ProcessPoolExecutor-0_0", "ProcessPool-0_0"),
            ("ProcessPoolExecutor-12_4095", "Process-12_4095"),
            ("a-parser-of-hostile-files_7", "a-parser-of-h_7"),
            ("übersetzungsprogramm_31", "übersetzung_31"),
            ("äääääääääää_1", "ääääää_1"),
            ("1234567890123456789_1", "7890123456789_1"),
        ] {
            assert_eq!(shortened(name), short);
            assert!(shortened(name).len() <= 15);
        }
    }
}
