//! CPython's pools as sides of a table.

use crate::{
    contender::{
        Role,
        cpython::{Cpython, Library},
    },
    driver::{Side, Table},
    scenario::WIDTH,
};

/// Adds both of CPython's pools. The cost is the time that their script reports for `command`, divided by `count`.
pub(super) fn sides(mut table: Table, command: &str, count: u64) -> Table {
    for library in Library::ALL {
        table = side(table, library, command, count);
    }
    table
}

/// Adds one of CPython's pools; see [`sides`].
pub(super) fn side(table: Table, library: Library, command: &str, count: u64) -> Table {
    let command = command.to_string();
    let side = Cpython::start(library, WIDTH)
        .map(|mut script| Side::new(library.name(), Role::Peer, move || script.nanoseconds(&command) / count as f64));
    table.optional_side(library.name(), side)
}
