//! Python: `subprocess.call(['nslookup', …])` prints what the program prints, and returns its exit code. Here the
//! program is one that needs no network.

use concurrent_futures::{Error, command, command::Command};

pub fn run() -> Result<(), Error> {
    println!("$ sh -c 'echo looked up; exit 3'");
    // Without `capture`, the program has this program's output.
    let code = command::status(Command::new("sh").args(["-c", "echo looked up; exit 3"]).capture(false))?;
    println!("Exit code: {code}");
    Ok(())
}
