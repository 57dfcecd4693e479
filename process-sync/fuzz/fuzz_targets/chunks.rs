//! A slice with chunks, whose memory another process overwrites.
#![no_main]

use libfuzzer_sys::fuzz_target;
use process_sync::fuzzing;

fuzz_target!(|bytes: &[u8]| fuzzing::chunks(bytes));
