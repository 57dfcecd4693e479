//! The thread pool from outside.

mod basics;
