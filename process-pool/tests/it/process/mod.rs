//! Processes of their own.

mod basics;
