//! CPython's pools as sides of a table.

use crate::{
    contender::{
        Role,
        cpython::{Cpython, Library},
    },
    driver::{Side, Table},
    scenario::WIDTH,
};

/// Adds both of CPython's pools, by the command that their script gets; the cost is the nanoseconds it answers, over
/// `count`.
pub(super) fn sides(mut table: Table, command: &str, count: u64) -> Table {
    for library in Library::ALL {
        table = side(table, library, command, count);
    }
    table
}

/// As [`sides`], one of them.
pub(super) fn side(table: Table, library: Library, command: &str, count: u64) -> Table {
    let command = command.to_string();
    let side = Cpython::start(library, WIDTH)
        .map(|mut script| Side::new(library.name(), Role::Peer, move || script.nanoseconds(&command) / count as f64));
    table.perhaps(library.name(), side)
}
