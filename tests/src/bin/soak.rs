//! Runs the named load tests, or all with `soak all`. Without arguments it lists them.

use std::process::ExitCode;

use costs::heap::Heap;
use tests::soak::{Options, SCENARIOS, USAGE, Unit, objects, run};

/// Counts allocated bytes, so that scenarios find leaks of a few bytes.
#[global_allocator]
static HEAP: Heap = Heap;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    if let Some(code) = objects::play(&args) {
        return code;
    }
    let options = match Options::parse(args) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if options.is_empty() {
        println!("{USAGE}\n");
        for scenario in SCENARIOS {
            let unit = match scenario.unit {
                Unit::Seconds => "seconds",
                Unit::Count(what) => what,
            };
            let on: Vec<String> = scenario.on.iter().map(ToString::to_string).collect();
            println!("{} ({} {unit}; {})\n    {}", scenario.name, scenario.long, on.join(", "), scenario.about);
        }
        return ExitCode::SUCCESS;
    }
    if run(&options) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
