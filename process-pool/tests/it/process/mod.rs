//! Processes of their own.
//!
//! The names in parentheses are cases of CPython's `_test_multiprocessing.py`, class `_TestProcess` unless another is
//! named.

mod basics;
mod cpython;
mod ends;
mod futures;
mod limits;
mod nested;
mod streams;

/// Returns the program of this name.
pub fn find(program: &str) -> Option<fn()> {
    Some(match program {
        "holds_processes" => ends::holds_processes,
        "ignores_the_end_of_a_process" => ends::ignores_the_end_of_a_process,
        "is_interrupted" => ends::is_interrupted,
        "forks_with_processes" => limits::forks_with_processes,
        "has_few_descriptors_for_processes" => limits::has_few_descriptors_for_processes,
        "has_few_processes_for_processes" => limits::has_few_processes_for_processes,
        "leaves_no_trace" => limits::leaves_no_trace,
        "has_no_standard_streams" => streams::has_no_standard_streams,
        _ => return None,
    })
}
