//! Python: the generator `jumping_range(5)`, which counts and jumps where `send` says. Rust has no `send`: it is an
//! iterator with a method.

use concurrent_futures::Error;

struct JumpingRange {
    index: i64,
    end: i64,
    started: bool,
}

impl JumpingRange {
    fn new(end: i64) -> JumpingRange {
        JumpingRange { index: 0, end, started: false }
    }

    /// Moves by this many, and yields where it is.
    fn send(&mut self, jump: i64) -> Option<i64> {
        self.index += jump;
        self.started = true;
        (self.index < self.end).then_some(self.index)
    }
}

impl Iterator for JumpingRange {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        let jump = i64::from(self.started);
        self.send(jump)
    }
}

pub fn run() -> Result<(), Error> {
    let mut range = JumpingRange::new(5);
    println!("{:?}", range.next());
    println!("{:?}", range.send(2));
    println!("{:?}", range.next());
    println!("{:?}", range.send(-1));
    println!("{:?}", range.collect::<Vec<_>>());
    Ok(())
}
