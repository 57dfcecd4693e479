//! A parser with the bugs that parsers have.

use std::{hint, path::Path, process, thread, time::Duration};

/// Returns how many words a document has. It runs in a worker process, so it may do anything.
///
/// Some first words make it misbehave: `abort` and `loop`. After `wait` it reads a file that may not be there yet.
pub fn count_words(document: String) -> usize {
    let mut words = document.split_whitespace();
    match words.next() {
        Some("abort") => process::abort(),
        Some("loop") => loop {
            hint::spin_loop();
        },
        Some("wait") => {
            let file = Path::new(words.next().unwrap_or_default());
            while !file.exists() {
                thread::sleep(Duration::from_millis(5));
            }
        }
        _ => {}
    }
    document.split_whitespace().count()
}
