//! The kit tested: it passes what is sound, and catches what is broken.

mod broken;
mod example;
mod faulty;
mod sound;
mod watchdog;
