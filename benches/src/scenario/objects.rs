//! CPython's objects that processes share, as sides of a table.

use crate::{
    contender::{Role, cpython::Cpython},
    driver::{Side, Table},
};

/// Adds a side. The cost is the time that the script reports for `command`, divided by `count`.
pub(super) fn side(table: Table, name: &str, command: &str, count: u64) -> Table {
    let command = command.to_string();
    let side = Cpython::objects()
        .map(|mut script| Side::new(name, Role::Peer, move || script.nanoseconds(&command) / count as f64));
    table.optional_side(name, side)
}
