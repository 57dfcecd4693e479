//! The examples `task_master` and `task_worker`: two programs that share queues, and know an address and a key.
#![cfg(feature = "cluster")]

use std::{
    env,
    io::{BufRead as _, BufReader, Lines, Write as _},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use test_support::watched;

/// A master whose server runs. It is killed when this is dropped.
struct Master {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Master {
    fn start() -> Master {
        let mut process = example("task_master", "127.0.0.1:0", "abc").stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = lines.next().expect("the master prints its address").unwrap();
        let address = first.strip_prefix("Serving at nats://").expect(&first).to_owned();
        Master { process, lines, address }
    }

    fn wait_for(&mut self, line: &str) {
        assert!(self.lines.any(|printed| printed.unwrap() == line), "the master does not print `{line}`");
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn example(name: &str, address: &str, key: &str) -> Command {
    let this_test = env::current_exe().expect("the path of this test");
    let folder = this_test.ancestors().nth(2).expect("tests are in target/<profile>/deps").join("examples");
    let path = folder.join(name);
    assert!(path.exists(), "run `cargo build --features cluster --example task_master --example task_worker`");
    let mut command = Command::new(path);
    command.arg(address).env("TASK_KEY", key).stdin(Stdio::null());
    command
}

fn work(master: &Master, key: &str) -> Output {
    example("task_worker", &master.address, key).output().expect("the worker runs")
}

/// Returns `true`, loudly, if there is no server on this machine, so that there is nothing to test.
fn is_skipped() -> bool {
    let Err(error) = concurrent_futures::cluster::Server::local() else { return false };
    assert!(env::var_os("NATS_SERVER").is_none(), "{error}");
    writeln!(std::io::stderr(), "SKIPPED, because there is no server: {error}").expect("a standard error");
    true
}

#[test]
fn a_worker_of_another_program_does_the_tasks_of_the_master() {
    watched(|| {
        if is_skipped() {
            return;
        }
        let mut master = Master::start();
        master.wait_for("Try get results...");
        let worker = work(&master, "abc");
        let text = String::from_utf8(worker.stdout).unwrap();
        assert!(worker.status.success(), "{text}{}", String::from_utf8_lossy(&worker.stderr));
        let first = format!("Connect to server {}...\nrun task ", master.address);
        assert!(text.starts_with(&first) && text.ends_with("\ntask queue is empty.\nworker exit.\n"), "{text}");
        assert_eq!(text.matches("run task").count(), 10);
        let rest: Vec<String> = master.lines.by_ref().map(Result::unwrap).collect();
        let (last, results) = rest.split_last().unwrap();
        assert_eq!((results.len(), last.as_str()), (10, "master exit."));
        for result in results {
            let (n, square) = result.strip_prefix("Result: ").unwrap().split_once(" = ").unwrap();
            let n: u64 = n.split_once(" * ").unwrap().0.parse().unwrap();
            assert_eq!(square, (n * n).to_string());
        }
        assert!(master.process.wait().unwrap().success());
    });
}

#[test]
fn a_worker_with_another_key_gets_no_task() {
    watched(|| {
        if is_skipped() {
            return;
        }
        let mut master = Master::start();
        master.wait_for("Try get results...");
        let worker = work(&master, "abd");
        let text = String::from_utf8(worker.stderr).unwrap();
        assert!(!worker.status.success() && text.contains("refuses the credentials"), "{text}");
        assert!(!text.contains("abd"), "{text}");
    });
}
