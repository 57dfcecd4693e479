//! The work of a task: read its files and count.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::tally::{Tally, Totals};
use super::{Found, Unreadable};

/// Files are read in blocks of this size, so that one huge file needs no more memory than a small one.
const BLOCK: usize = 64 * 1024;

/// Longer identifiers are ignored, so that a file that is one huge word does not fill the memory.
const LONGEST_IDENTIFIER: usize = 255;

/// Reads the files of one task. This function runs in the workers. It is a plain `fn`, because a worker process can
/// call a function of the program, but does not have the captured values of a closure.
pub fn scan(batch: Vec<Found>) -> Tally {
    let mut tally = Tally::default();
    let mut identifiers = HashMap::new();
    let mut buffer = vec![0; BLOCK];
    for found in batch {
        match found {
            Found::File(path) => scan_file(Path::new(&path), &mut buffer, &mut tally, &mut identifiers),
            Found::Unreadable(unreadable) => tally.unreadable.push(unreadable),
            Found::Special => tally.totals.skipped += 1,
        }
    }
    tally.identifiers = identifiers.into_iter().collect();
    tally
}

/// Calls `each` with the bytes of a regular file, block by block. Returns `false`, and reads nothing, if `path` is not
/// a regular file but a link to a directory, a pipe or a device.
pub fn read_in_blocks(path: &Path, buffer: &mut [u8], mut each: impl FnMut(&[u8])) -> io::Result<bool> {
    // This is checked before opening, because opening a pipe waits for a writer.
    if !fs::metadata(path)?.is_file() {
        return Ok(false);
    }
    let mut file = File::open(path)?;
    loop {
        match file.read(buffer) {
            Ok(0) => return Ok(true),
            Ok(length) => each(&buffer[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Adds a file to `tally` and `identifiers`, or leaves both unchanged if it cannot be read to its end.
fn scan_file(path: &Path, buffer: &mut [u8], tally: &mut Tally, identifiers: &mut HashMap<String, u64>) {
    let mut scanner = Scanner::default();
    match read_in_blocks(path, buffer, |block| scanner.feed(block)) {
        Ok(true) => {
            let (digest, totals, found) = scanner.finish();
            tally.digests.push(digest);
            tally.totals += totals;
            for (identifier, count) in found {
                *identifiers.entry(identifier).or_default() += count;
            }
        }
        Ok(false) => tally.totals.skipped += 1,
        Err(error) => tally.unreadable.push(Unreadable { path: path.display().to_string(), reason: error.to_string() }),
    }
}

/// Counts a file block by block. It counts bytes, because sources need not be UTF-8.
///
/// Lines are line feeds and words are what white space separates, as `wc` counts them. An identifier is a whole token
/// of letters, digits and underscores that does not start with a digit, as `grep -ow '[A-Za-z_][A-Za-z0-9_]*'` finds
/// them.
#[derive(Default)]
struct Scanner {
    digest: Sha256,
    totals: Totals,
    identifiers: HashMap<String, u64>,
    in_word: bool,
    in_token: bool,
    /// The beginning of a token that continues in the next block.
    cut: Vec<u8>,
}

impl Scanner {
    fn feed(&mut self, block: &[u8]) {
        self.digest.update(block);
        self.totals.bytes += block.len() as u64;
        // A token of the previous block continues at the start of this one.
        let mut token_start = 0;
        for (at, &byte) in block.iter().enumerate() {
            let in_token = byte.is_ascii_alphanumeric() || byte == b'_';
            if in_token && !self.in_token {
                token_start = at;
            } else if !in_token && self.in_token {
                self.end_token(&block[token_start..at]);
            }
            self.in_token = in_token;

            let in_word = !matches!(byte, b' ' | b'\t'..=b'\r');
            self.totals.words += u64::from(in_word && !self.in_word);
            self.in_word = in_word;

            self.totals.lines += u64::from(byte == b'\n');
        }
        if self.in_token {
            // One byte above the maximum is enough to find out later that it is too long.
            let space = LONGEST_IDENTIFIER + 1 - self.cut.len();
            let rest = &block[token_start..];
            self.cut.extend_from_slice(&rest[..rest.len().min(space)]);
        }
    }

    fn end_token(&mut self, rest: &[u8]) {
        if self.cut.is_empty() {
            count(&mut self.identifiers, rest);
        } else {
            let space = LONGEST_IDENTIFIER + 1 - self.cut.len();
            self.cut.extend_from_slice(&rest[..rest.len().min(space)]);
            count(&mut self.identifiers, &self.cut);
            self.cut.clear();
        }
    }

    fn finish(mut self) -> ([u8; 32], Totals, HashMap<String, u64>) {
        if self.in_token {
            self.end_token(&[]);
        }
        self.totals.files = 1;
        (self.digest.finalize().into(), self.totals, self.identifiers)
    }
}

fn count(identifiers: &mut HashMap<String, u64>, token: &[u8]) {
    if token.len() > LONGEST_IDENTIFIER || token.first().is_none_or(u8::is_ascii_digit) {
        return;
    }
    // A token consists of ASCII characters, so this never fails.
    let Ok(token) = std::str::from_utf8(token) else {
        return;
    };
    // Most tokens exist already, and looking one up needs no allocation.
    match identifiers.get_mut(token) {
        Some(count) => *count += 1,
        None => drop(identifiers.insert(token.to_owned(), 1)),
    }
}
