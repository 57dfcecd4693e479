//! A greeting of any bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use process_pool::fuzzing;

fuzz_target!(|bytes: &[u8]| fuzzing::greeting(bytes));
