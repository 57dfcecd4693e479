//! Locks that stay in one process.

use std::sync::{Arc, Mutex};

use super::Counted;
use crate::{Outcome, contender::Role};

/// The mutex of `parking_lot`.
#[derive(Debug)]
pub struct ParkingLot(Arc<parking_lot::Mutex<u64>>);

/// The mutex of the standard library.
#[derive(Debug)]
pub struct Std(Arc<Mutex<u64>>);

impl Counted for ParkingLot {
    const NAME: &'static str = "parking_lot, in one process";
    const ROLE: Role = Role::Peer;
    type Address = ParkingLot;

    fn create() -> Outcome<(ParkingLot, ParkingLot)> {
        let lock = Arc::default();
        Ok((ParkingLot(Arc::clone(&lock)), ParkingLot(lock)))
    }

    fn open(address: ParkingLot) -> ParkingLot {
        address
    }

    fn count(&self) {
        *self.0.lock() += 1;
    }

    fn total(&self) -> u64 {
        *self.0.lock()
    }
}

impl Counted for Std {
    const NAME: &'static str = "std, in one process";
    const ROLE: Role = Role::Peer;
    type Address = Std;

    fn create() -> Outcome<(Std, Std)> {
        let lock = Arc::default();
        Ok((Std(Arc::clone(&lock)), Std(lock)))
    }

    fn open(address: Std) -> Std {
        address
    }

    fn count(&self) {
        *self.0.lock().expect("no thread panics with it") += 1;
    }

    fn total(&self) -> u64 {
        *self.0.lock().expect("no thread panics with it")
    }
}
