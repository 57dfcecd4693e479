//! Progress: a bar on a terminal, and a few lines elsewhere. It goes to standard error, so that standard output has
//! only the report.

use std::cell::Cell;
use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::Choice;
use crate::job_size::JobSize;

/// The percentages at which a line is written. The first is low, so that a log soon shows that the job runs.
const LINES_AT: [u64; 4] = [1, 25, 50, 75];

const BAR: &str = "{prefix:>9} {wide_bar} {bytes:>10} of {total_bytes} {binary_bytes_per_sec:>12} {msg}";
const SPINNER: &str = "{prefix:>9} {spinner} {msg}";

/// The progress of one executor.
pub struct Progress {
    bar: ProgressBar,
    /// Present if standard error is not a terminal.
    lines: Option<Lines>,
}

impl Progress {
    pub fn new(choice: Choice, workers: usize, size: &JobSize) -> Progress {
        let bar = bar(BAR, Some(size.bytes));
        bar.set_prefix(choice.name());
        let lines = (!io::stderr().is_terminal()).then(|| Lines::start(choice, workers, *size));
        Progress { bar, lines }
    }

    pub fn update(&self, files: u64, bytes: u64) {
        self.bar.set_position(bytes);
        self.bar.set_message(format!("{files} files"));
        if let Some(lines) = &self.lines {
            lines.update(files);
        }
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// The progress of the first reading, whose length is unknown.
pub struct WarmUpProgress {
    bar: ProgressBar,
}

impl WarmUpProgress {
    pub fn new() -> WarmUpProgress {
        let bar = bar(SPINNER, None);
        bar.set_prefix("reading");
        WarmUpProgress { bar }
    }

    pub fn update(&self, so_far: &JobSize) {
        self.bar.set_message(format!("{} files", so_far.files));
        self.bar.tick();
    }
}

impl Drop for WarmUpProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

struct Lines {
    choice: Choice,
    size: JobSize,
    next: Cell<usize>,
}

impl Lines {
    fn start(choice: Choice, workers: usize, size: JobSize) -> Lines {
        eprintln!("backends: {choice}: started, workers: {workers}, files: {}", size.files);
        Lines { choice, size, next: Cell::new(0) }
    }

    fn update(&self, files: u64) {
        while let Some(&percent) = LINES_AT.get(self.next.get()) {
            if files * 100 < percent * self.size.files {
                break;
            }
            eprintln!("backends: {}: {percent} % done", self.choice);
            self.next.set(self.next.get() + 1);
        }
    }
}

fn bar(template: &str, length: Option<u64>) -> ProgressBar {
    // indicatif hides a bar whose target is not a terminal.
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        // The templates are constants, so this does not happen. A plain bar would be better than a panic.
        Err(_) => bar,
    }
}
