//! Tests of the rules: they pass on a correct back-end and fail on broken ones.

mod broken;
mod example;
mod faulty;
mod sound;
mod watchdog;
