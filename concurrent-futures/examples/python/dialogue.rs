//! Python: `Popen(['nslookup'], stdin=PIPE, stdout=PIPE)`, and `communicate` with commands as input. Here the program
//! reads commands and answers them without a network, and it runs as a task of a pool, with a time limit.

use std::time::Duration;

use concurrent_futures::{Error, Executor, ThreadPoolExecutor, command, command::Command};

/// Reads lines, and prints what it would do with each until one is `exit`.
const PROGRAM: &str = r#"while read line; do [ "$line" = exit ] && exit 0; echo "> $line"; done; exit 1"#;

pub fn run() -> Result<(), Error> {
    println!("$ nslookup");
    let pool = ThreadPoolExecutor::new(1)?;
    let dialogue =
        Command::new("sh").args(["-c", PROGRAM]).input("set q=mx\npython.org\nexit\n").timeout(Duration::from_secs(60));
    let ended = pool.submit(command::run, dialogue)?.result(None)??;
    print!("{}", String::from_utf8_lossy(&ended.stdout));
    println!("Exit code: {}", ended.exit_code);
    Ok(())
}
