//! Workers in a sandbox.

mod basics;
