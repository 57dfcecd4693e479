//! A worker that does what it wants to its link, which is a ring.
#![no_main]

use libfuzzer_sys::fuzz_target;
use process_pool::{Transport, fuzzing};

fuzz_target!(|bytes: &[u8]| fuzzing::parent(Transport::Ring, bytes));
