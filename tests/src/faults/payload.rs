//! Values and functions that make a fault happen at its place in a worker.

use std::{process, sync::OnceLock, thread, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Fault, Place, signs::Signs, strike};

/// A fault, its place, and how the worker and the check synchronise.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Point {
    /// What happens.
    pub fault: Fault,
    /// Where it happens.
    pub place: Place,
    /// The process that makes the check. The fault never happens there.
    pub check_process: u32,
    /// Shared files: the worker signs in as `arrived`, waits for `go`, and creates `struck`.
    pub signs: Signs,
}

impl Point {
    /// Makes the fault happen if this process is a worker and `place` is the place of the fault.
    fn pass(&self, place: Place) {
        if self.place == place && process::id() != self.check_process {
            self.happen();
        }
    }

    /// Reports that the worker has arrived, waits until the check is prepared, and makes the fault happen. Returns if
    /// the worker survives the fault.
    fn happen(&self) {
        if self.fault == Fault::IgnoresSigterm {
            strike::ignore_sigterm();
        }
        eprintln!("{}", self.fault.stderr_line());
        self.signs.sign_in("arrived");
        self.signs.wait("go");
        if self.fault.is_survived() {
            // Looking for the sign is a system call, so a signal that was sent before it has been handled by then.
            return self.signs.wait("struck");
        }
        if self.fault.comes_from_outside() {
            strike::never_end();
        }
        if self.fault.is_forbidden() {
            strike::attempt(self.fault);
            return self.signs.put("struck");
        }
        self.signs.put("struck");
        strike::strike(self.fault)
    }
}

/// An argument that makes a fault happen in its `Deserialize` or its `Drop`, or passes it to the function.
#[derive(Debug, Serialize)]
pub struct Argument(pub Point);

impl<'de> Deserialize<'de> for Argument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Argument, D::Error> {
        let point = Point::deserialize(deserializer)?;
        point.pass(Place::Decode);
        Ok(Argument(point))
    }
}

impl Drop for Argument {
    fn drop(&mut self) {
        self.0.pass(Place::DropArgument);
    }
}

/// A result that makes a fault happen in its `Serialize` or its `Drop`.
#[derive(Debug, Deserialize)]
pub struct Outcome(Point);

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.pass(Place::Encode);
        self.0.serialize(serializer)
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        self.0.pass(Place::DropResult);
    }
}

/// The task in which the fault happens.
pub fn victim(argument: Argument) -> Outcome {
    argument.0.pass(Place::Run);
    argument.0.pass(Place::Contained);
    argument.0.pass(Place::Shutdown);
    Outcome(argument.0.clone())
}

/// The initializer in which the fault happens.
pub fn initializer(point: Point) {
    point.signs.sign_in("starts");
    match point.fault {
        Fault::Stopped if point.signs.put_first("first") => point.happen(),
        Fault::Stopped => {}
        fault => {
            eprintln!("{}", fault.stderr_line());
            strike_oneself(fault);
        }
    }
}

/// Prepares a worker for a fault outside of a task. Returns the worker.
pub fn plant(point: Point) -> u32 {
    if point.fault.comes_from_outside() || point.fault == Fault::IgnoresSigterm {
        // The check sends a signal.
        if point.fault == Fault::IgnoresSigterm {
            strike::ignore_sigterm();
        }
        eprintln!("{}", point.fault.stderr_line());
        point.signs.sign_in("arrived");
    } else {
        thread::spawn(move || point.happen());
    }
    process::id()
}

static AT_EXIT: OnceLock<Point> = OnceLock::new();

/// Prepares this worker for the fault in an exit handler. Returns when all workers are prepared.
pub fn plant_at_exit((point, workers): (Point, usize)) -> u32 {
    let signs = point.signs.clone();
    AT_EXIT.set(point).expect("a worker is prepared once");
    strike::at_exit(on_exit);
    signs.sign_in("prepared");
    signs.wait_for_all("prepared", workers);
    process::id()
}

extern "C" fn on_exit() {
    if let Some(point) = AT_EXIT.get() {
        point.signs.sign_in("exits");
        strike_oneself(point.fault);
    }
}

/// Makes a fault happen where it does not come from outside.
fn strike_oneself(fault: Fault) {
    match fault {
        Fault::Terminated => strike::survive(fault),
        _ if fault.is_forbidden() => strike::attempt(fault),
        _ => strike::strike(fault),
    }
}

/// A task that runs until it is released. Returns the process that ran it.
pub fn block((signs, gate): (Signs, String)) -> u32 {
    signs.sign_in(&format!("{gate}.runs"));
    signs.wait(&format!("{gate}.open"));
    process::id()
}

/// A short task.
pub fn double(n: u32) -> u32 {
    2 * n
}

/// A short task, which takes some milliseconds if the number is even.
pub fn double_slowly(n: u32) -> u32 {
    if n % 2 == 0 {
        thread::park_timeout(Duration::from_millis(5));
    }
    double(n)
}
