//! What is the same on every Unix system.

pub(crate) mod advice;
pub(crate) mod child;
pub(crate) mod children;
pub(crate) mod clock;
pub(crate) mod ending;
pub(crate) mod exit;
pub(crate) mod initialisers;
pub(crate) mod limits;
pub(crate) mod message;
pub(crate) mod pipe;
pub(crate) mod policy;
pub(crate) mod poller;
pub(crate) mod rights;
pub(crate) mod signals;
pub(crate) mod socket;
pub(crate) mod stack;
pub(crate) mod standard;
pub(crate) mod stderr;
pub(crate) mod terminal;
pub(crate) mod termination;
