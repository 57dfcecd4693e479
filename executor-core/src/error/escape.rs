//! Text of others as a part of an error, which may be shown on a terminal.
//!
//! What a worker writes to its standard error, and what it says when it panics, may come from a hostile input. In an
//! error it moves no cursor, changes no colour, title or direction of the text, and is no longer than somebody wants to
//! read.

use std::borrow::Cow;

/// The most bytes that an error shows of one line, and of everything.
const LONGEST_LINE: usize = 400;
const LONGEST: usize = 4096;

/// The most lines of a standard error that are shown.
const LINES: usize = 16;

/// Of a line that is too long its beginning is shown, which mostly says what it is about, and this much of its end.
const END: usize = 80;

/// A message: its beginning, with its lines as they are.
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

/// The last lines of a text, without the frames of a backtrace: the kernel and the C library do not write any, and what
/// led to it is more telling.
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

/// One line, escaped and bounded.
fn line(text: &str) -> String {
    // An escaped character takes more room than the character, so what is certainly not shown is not looked at either.
    if text.len() <= LONGEST_LINE {
        let whole = escaped(text);
        if whole.len() <= LONGEST_LINE {
            return whole;
        }
    }
    let beginning = escaped(&text[..text.floor_char_boundary(LONGEST_LINE)]);
    let beginning = &beginning[..beginning.floor_char_boundary(LONGEST_LINE - END - 40)];
    let end = escaped(&text[text.ceil_char_boundary(text.len().saturating_sub(END))..]);
    let end = &end[end.ceil_char_boundary(end.len().saturating_sub(END))..];
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

/// Control characters, and those that change the order in which others are shown or end a line where it does not.
fn must_be_escaped(character: char) -> bool {
    match character {
        '\n' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        other => other.is_control(),
    }
}

/// Whether this is a line of a backtrace of Rust's: `  12: function`, or `             at file:line:column`.
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
    fn a_harmless_message_is_shown_as_it_is() {
        for text in ["", "no licence at /etc/licence", "left: 1\n right: 2\n", "größer als 7 µs 你好"] {
            assert!(matches!(message(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_shown() {
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
    fn lines_and_all_of_them_are_bounded_whatever_they_consist_of() {
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
    fn the_last_lines_are_the_last_ones() {
        let text: String = (0..1000).map(|line| format!("line {line}\n")).collect();
        let shown = last_lines(&text);
        assert!(shown.lines().count() == LINES && shown.starts_with("line 984\n") && shown.ends_with("line 999"));
    }

    #[test]
    fn a_backtrace_does_not_hide_what_led_to_it() {
        let words = "memory allocation of 8 bytes failed\nstack backtrace:\n   0: one\n             at ./file.rs:1:2\n";
        assert_eq!(last_lines(words), "memory allocation of 8 bytes failed\nstack backtrace:");
        assert_eq!(last_lines("  at work\n7: seven\n  note: this"), "7: seven\n  note: this");
    }
}
