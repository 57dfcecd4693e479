//! Clients, agents and an engine in one thread, between which anything can be lost, late, repeated or overtaken.
//!
//! A script of numbers decides what happens next, so a failing case is repeated and made smaller. At the end everything
//! works again, and what the README promises must hold.

mod engine;
mod rules;
mod world;
