//! Shows what came out.

mod markdown;
mod plot;
pub mod text;

use std::{fs, path::Path};

use crate::{Outcome, driver::Measured, scenario::Scenario};

/// What came out of a scenario.
#[derive(Debug)]
pub struct Answer {
    /// The question.
    pub scenario: &'static Scenario,
    /// Its tables.
    pub tables: Vec<Measured>,
}

/// Writes the page and its pictures into the workspace, and answers where the page is.
///
/// # Errors
///
/// If a file cannot be written.
pub fn write(answers: &[Answer], facts: &[(&str, String)]) -> Outcome<String> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let pictures = root.join(PICTURES);
    fs::create_dir_all(&pictures)?;
    for Answer { scenario, tables } in answers {
        if let Some(plot) = &scenario.plot {
            plot::draw(plot, tables, &pictures.join(format!("{}.svg", scenario.name)))?;
        }
    }
    let page = fs::canonicalize(root)?.join("BENCHMARKS.md");
    fs::write(&page, markdown::page(answers, facts))?;
    Ok(page.display().to_string())
}

/// Where the pictures are, seen from the page.
const PICTURES: &str = "benches/plots";

/// A number with as many digits as mean something.
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
