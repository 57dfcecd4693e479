//! A parser with the bugs that parsers have. The first line of a file says which of them it falls into.
//!
//! None of this is simulated: the pointer is invalid, the stack does overflow, the memory is asked for.
#![allow(unsafe_code)]

use std::fs::File;
use std::hint;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process;
use std::ptr;
use std::thread;

/// A way to bring the parser down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trap {
    InvalidWrite,
    EndlessLoop,
    EndlessRecursion,
    EndlessAllocation,
    Abort,
    Exit,
    Panic,
}

impl Trap {
    pub const ALL: [Trap; 7] = [
        Trap::InvalidWrite,
        Trap::EndlessLoop,
        Trap::EndlessRecursion,
        Trap::EndlessAllocation,
        Trap::Abort,
        Trap::Exit,
        Trap::Panic,
    ];

    /// The first line of a file that springs the trap.
    pub fn marker(self) -> &'static str {
        match self {
            Trap::InvalidWrite => "%SEGV",
            Trap::EndlessLoop => "%LOOP",
            Trap::EndlessRecursion => "%DEEP",
            Trap::EndlessAllocation => "%GROW",
            Trap::Abort => "%ABRT",
            Trap::Exit => "%EXIT",
            Trap::Panic => "%PANIC",
        }
    }

    fn spring(self) {
        match self {
            Trap::InvalidWrite => write_to_an_invalid_address(),
            Trap::EndlessLoop => wait_for_ever(),
            Trap::EndlessRecursion => drop(depth_of(hint::black_box(1))),
            Trap::EndlessAllocation => allocate_without_end(),
            Trap::Abort => process::abort(),
            Trap::Exit => process::exit(EXIT_CODE),
            Trap::Panic => panic!("unexpected `%` in column 1"),
        }
    }
}

/// What [`Trap::Exit`] exits with.
pub const EXIT_CODE: i32 = 3;

/// Comes back only if the file is harmless. What cannot be read is none of a parser's business; the census reports it.
pub fn parse(path: &Path) {
    let mut first_line = String::new();
    let Ok(file) = File::open(path) else { return };
    let Ok(_) = BufReader::new(file.take(16)).read_line(&mut first_line) else {
        return;
    };
    if let Some(trap) = Trap::ALL.into_iter().find(|trap| trap.marker() == first_line.trim_end()) {
        trap.spring();
    }
}

fn write_to_an_invalid_address() {
    let nowhere = ptr::without_provenance_mut::<u8>(16);
    // SAFETY: A volatile write outside of all memory that Rust knows of does what the machine does with it. The first
    // page is never mapped, so it is a fault, and the fault is the point.
    unsafe { nowhere.write_volatile(1) };
}

fn wait_for_ever() {
    // A loop that the optimiser must keep and that does not yield, as a parser that makes no progress would.
    loop {
        hint::black_box(());
    }
}

#[allow(unconditional_recursion, reason = "that is the trap")]
fn depth_of(level: u64) -> u64 {
    // A frame of some size, still needed after the call, so that the recursion cannot become a loop.
    let frame = hint::black_box([level; 64]);
    depth_of(level + 1) + frame[0]
}

fn allocate_without_end() {
    let mut memory = Vec::new();
    loop {
        // Only a little of it is written to. Memory counts from when it is asked for, and so its limit is reached long
        // before the limit of time, on a busy machine too.
        let mut block = vec![0_u8; 1024 * 1024];
        block[0] = 1;
        memory.push(hint::black_box(block));
        // Where no limit can be set, the time limit ends this before the machine is in trouble.
        if memory.len() > 4096 {
            thread::park();
        }
    }
}
