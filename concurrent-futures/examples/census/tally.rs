//! The result of a task, and how results are merged.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::AddAssign;

use concurrent_futures::Error;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The number of unreadable files, and of differing identifiers, that are listed by name.
const LISTED: usize = 20;

/// The findings of one task.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    pub totals: Totals,
    /// The SHA-256 of each file, in walk order.
    pub digests: Vec<[u8; 32]>,
    pub unreadable: Vec<Unreadable>,
    pub identifiers: Counts,
}

/// Numbers that are summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub files: u64,
    pub lines: u64,
    pub words: u64,
    pub bytes: u64,
    /// Pipes, devices and links to directories.
    pub skipped: u64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, more: Totals) {
        self.files += more.files;
        self.lines += more.lines;
        self.words += more.words;
        self.bytes += more.bytes;
        self.skipped += more.skipped;
    }
}

/// A file or directory that could not be read. Both fields are text, which can be sent to a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    pub path: String,
    pub reason: String,
}

/// Identifiers and how often each occurs. All names are in one string, which saves the receiver an allocation for each
/// identifier that it has already.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Separated by line feeds, which no identifier contains.
    names: String,
    counts: Vec<u64>,
}

impl Counts {
    fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.names.lines().zip(self.counts.iter().copied())
    }
}

impl FromIterator<(String, u64)> for Counts {
    fn from_iter<I: IntoIterator<Item = (String, u64)>>(identifiers: I) -> Counts {
        let mut packed = Counts::default();
        for (name, count) in identifiers {
            packed.names.push_str(&name);
            packed.names.push('\n');
            packed.counts.push(count);
        }
        packed
    }
}

/// A task that failed, so that its files are not counted.
#[derive(Clone, Debug)]
pub struct Lost {
    /// The position of the task, from zero. Results come in the order of the inputs, so it identifies the files.
    pub task: usize,
    pub error: Error,
}

/// The merged result. Its size depends on the distinct identifiers, not on the files.
#[derive(Clone, Debug, Default)]
pub struct Census {
    pub totals: Totals,
    pub identifiers: HashMap<String, u64>,
    pub unreadable: u64,
    /// The first few unreadable files. Others are only counted, so that the census stays small on a broken disk.
    pub unreadable_examples: Vec<Unreadable>,
    pub lost: Vec<Lost>,
    digests: Sha256,
}

impl Census {
    pub fn add(&mut self, tally: Tally) {
        self.totals += tally.totals;
        for digest in &tally.digests {
            self.digests.update(digest);
        }
        self.unreadable += tally.unreadable.len() as u64;
        let space = LISTED - self.unreadable_examples.len();
        self.unreadable_examples.extend(tally.unreadable.into_iter().take(space));
        for (name, count) in tally.identifiers.iter() {
            match self.identifiers.get_mut(name) {
                Some(total) => *total += count,
                None => drop(self.identifiers.insert(name.to_owned(), count)),
            }
        }
    }

    /// Returns the SHA-256 of the SHA-256 of all files in walk order. Two are equal only if the same contents were read
    /// in the same order.
    pub fn digest(&self) -> String {
        let digest = self.digests.clone().finalize();
        digest.iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// Returns the most frequent identifiers. Equally frequent ones are in alphabetical order.
    pub fn top(&self, most: usize) -> Vec<(&str, u64)> {
        let mut all: Vec<(&str, u64)> = self.identifiers.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        all.sort_unstable_by_key(|&(name, count)| (Reverse(count), name));
        all.truncate(most);
        all
    }

    /// Returns a line for each difference from `other`.
    ///
    /// It does not compare lost tasks, because only the caller knows whether they were expected.
    pub fn differences(&self, other: &Census) -> Vec<String> {
        let mut differences = Vec::new();
        for (what, ours, theirs) in [
            ("files", self.totals.files, other.totals.files),
            ("lines", self.totals.lines, other.totals.lines),
            ("words", self.totals.words, other.totals.words),
            ("bytes", self.totals.bytes, other.totals.bytes),
            ("skipped", self.totals.skipped, other.totals.skipped),
            ("unreadable", self.unreadable, other.unreadable),
        ] {
            if ours != theirs {
                differences.push(format!("{what}: {ours} against {theirs}"));
            }
        }
        if self.digest() != other.digest() {
            differences.push(format!("digest: {} against {}", self.digest(), other.digest()));
        }
        for (ours, theirs) in self.unreadable_examples.iter().zip(&other.unreadable_examples) {
            if ours != theirs {
                differences.push(format!(
                    "unreadable: {} ({}) against {} ({})",
                    ours.path, ours.reason, theirs.path, theirs.reason
                ));
            }
        }
        differences.extend(self.identifier_differences(other));
        differences
    }

    fn identifier_differences(&self, other: &Census) -> Vec<String> {
        let of = |census: &Census, name: &str| census.identifiers.get(name).copied().unwrap_or(0);
        let mut names: Vec<&str> = self
            .identifiers
            .keys()
            .chain(other.identifiers.keys())
            .map(String::as_str)
            .filter(|name| of(self, name) != of(other, name))
            .collect();
        names.sort_unstable();
        names.dedup();
        let more = names.len().saturating_sub(LISTED);
        let mut differences: Vec<String> = names
            .into_iter()
            .take(LISTED)
            .map(|name| format!("identifier `{name}`: {} against {}", of(self, name), of(other, name)))
            .collect();
        if more > 0 {
            differences.push(format!("and {more} more identifiers"));
        }
        differences
    }
}
