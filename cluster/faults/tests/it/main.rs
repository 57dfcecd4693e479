//! The tests of this package, in one program.

mod documents;
mod short;
