//! Escapes untrusted text in errors, which may be shown on a terminal.
//!
//! The standard error of a worker and the message of a panic may contain hostile input. In an error such text must not
//! move the cursor, must not change the colour, the title or the direction of the text, and must be short.

use std::borrow::Cow;

use crate::boundary;

/// The maximum number of bytes that an error shows of one line, and in total.
const LONGEST_LINE: usize = 400;
const LONGEST: usize = 4096;

/// The maximum number of lines of a standard error that an error shows.
const LINES: usize = 16;

/// A line that is too long is shown as its beginning and this many bytes of its end.
const END: usize = 80;

/// Returns the beginning of a message, escaped.
pub fn message(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST && !text.contains(must_be_escaped) && text.lines().all(|line| line.len() <= LONGEST_LINE) {
        return text.into();
    }
    let mut shown = String::new();
    for (number, line) in text.split('\n').enumerate() {
        let line = self::line(line);
        if shown.len() + line.len() + 1 > LONGEST {
            shown += "\n…";
            break;
        }
        shown += if number > 0 { "\n" } else { "" };
        shown += &line;
    }
    shown.into()
}

/// Returns the last lines of a text, escaped. The frames of a backtrace are left out, because the lines before them are
/// more useful.
pub fn last_lines(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut length = 0;
    for line in text.trim_end().lines().rev().filter(|line| !is_frame(line)).take(LINES) {
        let line = self::line(line);
        length += line.len() + 1;
        if length > LONGEST {
            break;
        }
        lines.push(line);
    }
    lines.reverse();
    lines.join("\n").trim().to_string()
}

/// Returns one line, escaped and truncated.
fn line(text: &str) -> String {
    // Escaping never makes a character shorter, so only the bytes that may be shown need to be escaped.
    if text.len() <= LONGEST_LINE {
        let shown = escaped(text);
        if shown.len() <= LONGEST_LINE {
            return shown;
        }
    }
    let beginning = escaped(&text[..boundary::floor(text, LONGEST_LINE)]);
    let beginning = &beginning[..boundary::floor(&beginning, LONGEST_LINE - END - 40)];
    let end = escaped(&text[boundary::ceil(text, text.len().saturating_sub(END))..]);
    let end = &end[boundary::ceil(&end, end.len().saturating_sub(END))..];
    format!("{beginning} … ({} bytes) … {end}", text.len())
}

fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            other if must_be_escaped(other) => shown.extend(other.escape_default()),
            other => shown.push(other),
        }
    }
    shown
}

/// Returns whether this is a control character, or one that changes the direction of the text or separates lines.
fn must_be_escaped(character: char) -> bool {
    match character {
        '\n' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        other => other.is_control(),
    }
}

/// Returns whether this is a line of a Rust backtrace: `  12: function`, or `             at file:line:column`.
fn is_frame(line: &str) -> bool {
    let text = line.trim_start();
    let is_indented = text.len() < line.len();
    let number = text.trim_start_matches(|character: char| character.is_ascii_digit());
    is_indented && (text.starts_with("at ") || number.len() < text.len() && number.starts_with(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_harmless_message_is_unchanged() {
        for text in ["", "no licence at /etc/licence", "left: 1\n right: 2\n", "größer als 7 µs 你好"] {
            assert!(matches!(message(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn no_control_character_is_shown() {
        let text = "red \u{1b}[31m, bell \u{7}, C1 \u{9b}2J, delete \u{7f}, back \u{8}, return \r, tab \t, \
                    order \u{202e}\u{2066}\u{200f}\u{61c}, line \u{2028}, zero \0";
        for shown in [message(text).into_owned(), last_lines(text)] {
            assert!(!shown.contains(must_be_escaped), "{shown:?}");
            for part in ["\\u{1b}[31m", "\\u{9b}2J", "\\r", "\\t", "\\u{202e}"] {
                assert!(shown.contains(part), "{part} is missing in {shown}");
            }
        }
    }

    #[test]
    fn each_line_and_the_total_are_bounded() {
        for piece in ["x", "\u{1b}", "你", "\u{202e}y"] {
            let long = piece.repeat(100_000);
            for text in [long.clone(), format!("{long}\n").repeat(40), format!("{piece}\n").repeat(40_000)] {
                for shown in [message(&text).into_owned(), last_lines(&text)] {
                    assert!(shown.len() <= LONGEST + 8, "{} of {piece:?}", shown.len());
                    assert!(shown.lines().all(|line| line.len() <= LONGEST_LINE), "{piece:?}");
                }
            }
        }
        let line = format!("memory allocation {} failed", "of ".repeat(1000));
        let shown = message(&line);
        assert!(
            shown.starts_with("memory allocation of")
                && shown.contains("(3025 bytes)")
                && shown.ends_with("of  failed")
        );
    }

    #[test]
    fn the_last_lines_are_shown() {
        let text: String = (0..1000).map(|line| format!("line {line}\n")).collect();
        let shown = last_lines(&text);
        assert!(shown.lines().count() == LINES && shown.starts_with("line 984\n") && shown.ends_with("line 999"));
    }

    #[test]
    fn a_backtrace_does_not_hide_the_lines_before_it() {
        let text = "memory allocation of 8 bytes failed\nstack backtrace:\n   0: one\n             at ./file.rs:1:2\n";
        assert_eq!(last_lines(text), "memory allocation of 8 bytes failed\nstack backtrace:");
        assert_eq!(last_lines("  at work\n7: seven\n  note: this"), "7: seven\n  note: this");
    }
}
