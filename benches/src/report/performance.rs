//! The page `docs/performance.md`: what users can expect, in ten lines and three plots.

use std::fmt::{self, Write};

use super::{PLOTS, Report, plot, summary};

/// The scenarios that are drawn: more tasks, more data, more workers.
const DRAWN: [&str; 3] = ["count", "echo", "width"];

/// Returns the whole page.
pub(super) fn page(report: &Report) -> String {
    let mut page = String::new();
    write(&mut page, report).expect("a string takes everything");
    page
}

fn write(page: &mut String, report: &Report) -> fmt::Result {
    let fact = |name: &str| report.facts.iter().find(|fact| fact.name == name).map_or("unknown", |fact| &fact.value);
    writeln!(page, "# What to expect\n")?;
    writeln!(
        page,
        "Measured on this processor: {}. Pools have two workers unless a line says otherwise.\n",
        fact("processor")
    )?;
    for line in summary::lines(report) {
        writeln!(page, "- {line}")?;
    }
    for results in DRAWN.iter().filter_map(|name| report.results(name)) {
        plot(page, results.scenario, &format!("../{PLOTS}"))?;
    }
    page.push_str(END);
    Ok(())
}

const END: &str = "
`processes, ring` is a `ProcessPoolExecutor` with shared memory, the default on Linux; `processes, socket` is one with
sockets. [BENCHMARKS.md](../BENCHMARKS.md) has all tables, and says how to read them. Measure on your own machine, in
three minutes:

```sh
cargo run --release -p benches --bin compare -- --short
```
";
