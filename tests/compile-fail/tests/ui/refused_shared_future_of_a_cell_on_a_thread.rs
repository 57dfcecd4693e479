use std::cell::Cell;

use executor_core::promise;

fn main() {
    let (_promise, future) = promise::<Cell<u64>>();
    let shared = future.shared();
    std::thread::spawn(move || drop(shared));
}
