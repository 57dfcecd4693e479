//! Reports: on a terminal, and as the documents at the root of the workspace.

mod bars;
mod benchmarks;
mod data;
mod lines;
mod performance;
mod summary;
mod targets;
pub mod text;

use std::{
    fmt::{self, Write},
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    Outcome,
    driver::Measured,
    machine::Fact,
    scenario::{Plot, Scenario},
};

/// A run: the machine, and what was measured on it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// The machine and the versions.
    pub facts: Vec<Fact>,
    /// The scenarios that were run.
    pub results: Vec<Results>,
}

/// The tables of a scenario.
#[derive(Debug, Serialize, Deserialize)]
pub struct Results {
    /// The scenario.
    #[serde(with = "data::by_name")]
    pub scenario: &'static Scenario,
    /// Its tables.
    pub tables: Vec<Measured>,
}

/// The directory of the plots, relative to the root.
const PLOTS: &str = "benches/plots";

impl Report {
    /// Reads the report that [`write`](Report::write) has saved.
    ///
    /// # Errors
    ///
    /// If the file is missing, or names a scenario that no longer exists.
    pub fn read() -> Outcome<Report> {
        data::read(&root())
    }

    /// Writes `BENCHMARKS.md`, `docs/performance.md`, `TARGETS.md` and the plots, and saves the figures that they are
    /// made from.
    ///
    /// # Errors
    ///
    /// If a file cannot be written.
    pub fn write(&self) -> Outcome<()> {
        let root = root();
        data::write(self, &root)?;
        let plots = root.join(PLOTS);
        fs::create_dir_all(&plots)?;
        for Results { scenario, tables } in &self.results {
            let file = plots.join(format!("{}.svg", scenario.name));
            match &scenario.plot {
                Some(Plot::Lines(plot)) => lines::draw(plot, tables, &file)?,
                Some(Plot::Bars(plot)) => bars::draw(plot, tables, &file)?,
                None => {}
            }
        }
        fs::write(root.join("BENCHMARKS.md"), benchmarks::page(self))?;
        fs::write(root.join("docs/performance.md"), performance::page(self))?;
        fs::write(root.join("TARGETS.md"), targets::page(self))?;
        Ok(())
    }

    fn results(&self, scenario: &str) -> Option<&Results> {
        self.results.iter().find(|results| results.scenario.name == scenario)
    }
}

/// Writes the line that shows the plot of a scenario, if it has one, from a page that finds the plots at `folder`.
fn plot(page: &mut String, scenario: &Scenario, folder: &str) -> fmt::Result {
    match &scenario.plot {
        Some(plot) => writeln!(page, "\n![{}]({folder}/{}.svg)", Plot::title(plot), scenario.name),
        None => Ok(()),
    }
}

fn root() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).to_path_buf()
}

/// Formats a number with the digits that are significant.
pub fn figure(value: f64) -> String {
    match value.abs() {
        size if !size.is_finite() => "-".into(),
        size if size >= 100.0 || size == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        size if size >= 0.01 => format!("{value:.3}"),
        _ => format!("{value:.5}"),
    }
}

/// Formats nanoseconds in the unit that makes them short.
fn time(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        value if value >= 1e6 => (value / 1e6, "ms"),
        value if value >= 1e3 => (value / 1e3, "µs"),
        value => (value, "ns"),
    };
    let text = if value >= 10.0 { format!("{value:.0}") } else { format!("{value:.1}") };
    format!("{text} {unit}")
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_short() {
        assert_eq!([7.26, 178.9, 1331.0, 92_524.0, 4.5e6].map(time), ["7.3 ns", "179 ns", "1.3 µs", "93 µs", "4.5 ms"]);
    }
}
