//! Messages with any bytes. What is accepted has exactly one form.
#![no_main]

use cluster::wire::{FRAME, Record, Submission, ToAgent, ToClient, pack, unpack};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    frame::<ToClient>(bytes);
    frame::<ToAgent>(bytes);
    if let Ok(submission) = Submission::read(bytes) {
        // A longer name is cut when it is written.
        if submission.name.as_ref().is_none_or(|name| name.len() <= 1000) {
            let mut again = Vec::new();
            submission.write(&mut again);
            assert_eq!(again, bytes);
        }
    }
});

fn frame<R: Record>(bytes: &[u8]) {
    if let Ok((sender, records)) = unpack::<R>(bytes) {
        if !records.is_empty() && bytes.len() <= FRAME {
            assert_eq!(pack(&sender, &records), [bytes]);
        }
    }
}
