//! Cases of CPython's `_test_multiprocessing.py` that no other test here has, with their numbers in the table of
//! `tests/README.md`.

mod connections;
mod locks;
mod memory;
mod queues;

use crate::support::Role;

pub const ROLES: &[&[(&str, Role)]] = &[connections::ROLES, locks::ROLES, memory::ROLES, queues::ROLES];
