//! A hostile worker whose link is a ring.
#![no_main]

use libfuzzer_sys::fuzz_target;
use process_pool::{Transport, fuzzing};

fuzz_target!(|bytes: &[u8]| fuzzing::parent(Transport::Ring, bytes));
