//! Values that carry a fault to its place in a worker.

use std::{process, sync::OnceLock, thread, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Fault, Place, signs::Signs, strike};

/// Which fault is to happen where, and how the worker and the check come to know of each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Point {
    /// What happens.
    pub fault: Fault,
    /// Where it happens.
    pub place: Place,
    /// The process that makes the check: nothing happens there.
    pub home: u32,
    /// Where both leave signs: the worker signs in as `arrived`, waits for `go`, and leaves `struck`.
    pub signs: Signs,
}

impl Point {
    /// Lets the fault happen if this is the place, in a worker.
    fn pass(&self, place: Place) {
        if self.place == place && process::id() != self.home {
            self.meet();
        }
    }

    /// Says that the worker is there, waits until everything is prepared, and lets the fault happen.
    fn meet(&self) -> ! {
        if self.fault == Fault::Deaf {
            strike::ignore_sigterm();
        }
        eprintln!("{}", self.fault.last_words());
        self.signs.sign_in("arrived");
        self.signs.wait("go");
        if self.fault.comes_from_outside() {
            strike::never_end();
        }
        self.signs.put("struck");
        strike::strike(self.fault)
    }
}

/// An argument that carries a fault: into its `Deserialize`, into the function, or into its `Drop`.
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

/// A result that carries a fault: into its `Serialize`, or into its `Drop`.
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

/// The task that a fault meets. After the pool is closed it is met in the function, too.
pub fn victim(argument: Argument) -> Outcome {
    argument.0.pass(Place::Run);
    argument.0.pass(Place::Shutdown);
    Outcome(argument.0.clone())
}

/// The initializer that a fault meets.
pub fn initializer(point: Point) {
    point.signs.sign_in("starts");
    match point.fault {
        Fault::Stopped if point.signs.put_first("first") => point.meet(),
        Fault::Stopped => {}
        fault => {
            eprintln!("{}", fault.last_words());
            strike::strike(fault)
        }
    }
}

/// Prepares a worker for a fault that comes when no check waits for it, and answers which worker that is.
pub fn plant(point: Point) -> u32 {
    if point.fault.comes_from_outside() || point.fault == Fault::Deaf {
        // What comes is sent by the check.
        if point.fault == Fault::Deaf {
            strike::ignore_sigterm();
        }
        eprintln!("{}", point.fault.last_words());
        point.signs.sign_in("arrived");
    } else {
        thread::spawn(move || point.meet());
    }
    process::id()
}

static AT_EXIT: OnceLock<Point> = OnceLock::new();

/// Has the fault meet this worker in an exit handler. It answers once all workers that are to do so are there.
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
        strike::strike(point.fault);
    }
}

/// A task that runs until it is let go, and answers where it ran.
pub fn pass_gate((signs, gate): (Signs, String)) -> u32 {
    signs.sign_in(&format!("{gate}.runs"));
    signs.wait(&format!("{gate}.open"));
    process::id()
}

/// A short task.
pub fn double(n: u32) -> u32 {
    2 * n
}

/// A short task that takes a moment, if the number is even.
pub fn double_slowly(n: u32) -> u32 {
    if n.is_multiple_of(2) {
        thread::park_timeout(Duration::from_millis(5));
    }
    double(n)
}
