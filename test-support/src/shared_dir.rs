//! Files by which the processes of a test communicate.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
};

use tempfile::TempDir;

use crate::wait_until;

/// A temporary directory. Tasks get the paths of its files as arguments.
#[derive(Debug)]
pub struct SharedDir(TempDir);

impl SharedDir {
    /// Creates a directory.
    ///
    /// # Panics
    ///
    /// If that fails.
    #[allow(clippy::new_without_default)] // It does I/O.
    pub fn new() -> SharedDir {
        SharedDir(TempDir::new().expect("a temporary directory can be created"))
    }

    /// Returns the path of a file in it.
    ///
    /// # Panics
    ///
    /// If the path is not UTF-8.
    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("the path is UTF-8").to_string()
    }

    /// Returns `true` if this file exists.
    pub fn has(&self, name: &str) -> bool {
        Path::new(&self.path(name)).exists()
    }

    /// Creates an empty file.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn touch(&self, name: &str) {
        touch(&self.path(name));
    }

    /// Returns the lines of a file, and none if it does not exist.
    pub fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_string).collect()
    }

    /// Returns the numbers in a file, one in each line.
    ///
    /// # Panics
    ///
    /// If a line is not a number.
    pub fn numbers(&self, name: &str) -> Vec<u32> {
        self.lines(name).iter().map(|line| line.parse().expect("each line is a number")).collect()
    }
}

/// Creates an empty file.
///
/// # Panics
///
/// If that fails.
pub fn touch(path: &str) {
    fs::write(path, "").expect("the file can be created");
}

/// Appends a line to a file. Lines of several processes do not mix.
///
/// # Panics
///
/// If that fails.
pub fn add_line(path: &str, line: impl ToString) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("the file can be opened");
    file.write_all(format!("{}\n", line.to_string()).as_bytes()).expect("the file can be written");
}

/// Waits until a file exists.
///
/// # Panics
///
/// As [`wait_until`].
pub fn wait_for_file(path: &str) {
    wait_until(path, || Path::new(path).exists());
}
