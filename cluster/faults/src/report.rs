//! The table as a page.

use std::fmt::Write as _;

use crate::rows::ROWS;

/// What a row has shown.
pub struct Found {
    pub number: u32,
    pub figures: Vec<String>,
    pub skipped: Vec<String>,
    pub seconds: f64,
}

/// Returns the page.
pub fn page(found: &[Found], seed: u64, server: &str) -> String {
    let mut page = String::from(
        "# What the caller sees when a part of a cluster fails\n\
         \n\
         Written by `cargo run -p cluster-faults -- --minutes 10 --write`, from the table in `cluster/faults/src/rows`, after \
         every row was as expected.\n\
         All servers, agents, clients and networks are real.\n\
         The tasks themselves write each execution into a file, so executions are counted independently of the cluster.\n\
         The grace is 3 seconds; a task has one attempt unless the row says otherwise.\n\
         Times depend on the machine, and no row depends on them.\n\n",
    );
    let _ = writeln!(page, "The server was {server}, the seed {seed}.\n");
    page += "| | event | what the caller sees |\n|---|---|---|\n";
    for row in &ROWS {
        let _ = writeln!(page, "| [{0}](#row-{0}) | {1} | {2} |", row.number, row.event, row.expected);
    }
    page += "\nWhat a loss of power does is not in the table, because it cannot be made here.\n\
             JetStream confirms a message before it is on the disk, and writes at the latest after two minutes.\n\
             A client publishes again what the stream has lost, as in row 21; `sync_interval: always` and three replicas keep \
             more.\n";
    for row in &ROWS {
        let _ = writeln!(page, "\n## Row {}\n", row.number);
        let _ = writeln!(page, "{}{}.\n", row.event[..1].to_uppercase(), &row.event[1..]);
        match found.iter().find(|found| found.number == row.number) {
            Some(found) => {
                for figure in &found.figures {
                    let _ = writeln!(page, "- {figure}");
                }
                for case in &found.skipped {
                    let _ = writeln!(page, "- not run: {case}");
                }
                let _ = writeln!(page, "\nIt took {:.0} seconds.", found.seconds);
            }
            None => page += "It was not run.\n",
        }
    }
    page
}
