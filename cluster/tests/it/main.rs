//! An executor and agents over an engine in this process, with tasks in real worker processes.

mod agents;
mod conformance;
mod faults;
mod local;
mod loopback;
