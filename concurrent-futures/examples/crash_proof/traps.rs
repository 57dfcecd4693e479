//! A parser with the bugs that parsers have. The first line of a file selects the bug.
//!
//! Nothing is simulated: the pointer is invalid, the stack overflows, the memory is allocated.
#![allow(unsafe_code)]

use std::fs::File;
use std::hint;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process;
use std::ptr;
use std::thread;

/// A way to crash the parser.
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

    /// Returns the first line of a file that triggers it.
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

/// The exit code of [`Trap::Exit`].
pub const EXIT_CODE: i32 = 3;

/// Returns only if the file is harmless. It ignores files that cannot be read, because the census reports those.
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
    // SAFETY: a volatile write outside of all allocated memory does what the processor does with it. The first page is
    // never mapped, so the write only causes the intended fault.
    unsafe { nowhere.write_volatile(1) };
}

fn wait_for_ever() {
    // `black_box` keeps the optimiser from removing the loop. It does not yield, like a parser that makes no progress.
    loop {
        hint::black_box(());
    }
}

#[allow(unconditional_recursion, reason = "that is the trap")]
fn depth_of(level: u64) -> u64 {
    // The frame is used after the call, so that the compiler cannot turn the recursion into a loop.
    let frame = hint::black_box([level; 64]);
    depth_of(level + 1) + frame[0]
}

fn allocate_without_end() {
    let mut memory = Vec::new();
    loop {
        // One byte is written. The limit counts allocated memory, so it is reached long before the time limit, even on
        // a busy machine.
        let mut block = vec![0_u8; 1024 * 1024];
        block[0] = 1;
        memory.push(hint::black_box(block));
        // On systems without a memory limit it stops allocating here, and the time limit ends it.
        if memory.len() > 4096 {
            thread::park();
        }
    }
}
