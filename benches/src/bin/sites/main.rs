//! What a call of `submit` adds to a program: its code, and the time to compile it. The peer is rayon's `spawn_fifo`
//! with a channel for the result.
//!
//! ```sh
//! cargo run -p benches --bin sites            # a thousand calls
//! cargo run -p benches --bin sites -- 200 1   # another number of calls, and of rounds
//! ```
//!
//! Both sides are programs that this one writes and builds with optimisations, with one call and with many, so that the
//! difference is that of the calls. Each call has a function of its own, or all have the same. The time is processor
//! time, which depends little on what else the machine does. It is the least of some rounds, in which the sides take
//! turns.

mod elf;
mod program;

use std::{
    env,
    error::Error,
    fs, io,
    path::{self, Path},
};

use program::{Functions, Program, Side};

/// The number of calls, unless the command line has another.
const CALLS: usize = 1000;

/// How often each program is compiled, unless the command line has another number.
const ROUNDS: usize = 3;

/// What one call adds, in bytes and seconds.
struct Added {
    code: Option<f64>,
    file: f64,
    time: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let number = |at, default| env::args().nth(at).map_or(Ok(default), |text| text.parse());
    let (calls, rounds) = (number(1, CALLS)?, number(2, ROUNDS)?);
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the package is in the workspace")?;
    let target = path::absolute(env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), Into::into))?;
    println!("{calls} calls, {rounds} rounds");
    for functions in [Functions::Own, Functions::Same] {
        let [ours, theirs] = compare(workspace, &target, functions, calls, rounds)?;
        println!("\n{}:", functions.description());
        for (side, added) in [(Side::Ours, &ours), (Side::Peer, &theirs)] {
            let code = added.code.map_or("unknown".to_string(), |bytes| format!("{bytes:.0} B of code"));
            let name = side.description();
            println!("  {name}: {code}, {:.0} B of the program, {:.2} ms to compile", added.file, added.time * 1e3);
        }
        println!("  ratio of the times: {:.2}", ours.time / theirs.time);
    }
    Ok(())
}

/// Measures both sides in turns.
fn compare(
    workspace: &Path,
    target: &Path,
    functions: Functions,
    calls: usize,
    rounds: usize,
) -> io::Result<[Added; 2]> {
    let sides = [Side::Ours, Side::Peer].map(|side| {
        let directory = target.join("sites").join(side.package());
        [1, calls + 1].map(|calls| Program {
            side,
            functions,
            calls,
            directory: directory.clone(),
            target: target.to_path_buf(),
        })
    });
    let mut times = [[f64::INFINITY; 2]; 2];
    let mut sizes = [[(None, 0); 2]; 2];
    // The first build is that of the dependencies too, so it does not count.
    for round in 0..=rounds {
        for (side, programs) in sides.iter().enumerate() {
            for (size, program) in programs.iter().enumerate() {
                let time = program.build(workspace)?;
                if round > 0 {
                    times[side][size] = f64::min(times[side][size], time);
                }
                let bytes = fs::read(program.binary())?;
                sizes[side][size] = (elf::code_size(&bytes), bytes.len());
            }
        }
    }
    Ok([0, 1].map(|side| {
        let [(few_code, few), (many_code, many)] = sizes[side];
        let each = |few: usize, many: usize| (many as f64 - few as f64) / calls as f64;
        Added {
            code: few_code.zip(many_code).map(|(few, many)| each(few, many)),
            file: each(few, many),
            time: (times[side][1] - times[side][0]) / calls as f64,
        }
    }))
}
