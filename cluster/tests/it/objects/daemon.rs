//! A server that outlives its process: it can be killed and started again with the same store.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;
use test_support::{free_port, kill, wait_until};

pub const TOKEN: &str = "daemon";

/// See the [module](self). It is killed when it is dropped.
pub struct Daemon {
    process: Child,
    folder: TempDir,
    port: u16,
}

impl Daemon {
    /// Starts a server. Without a program on this machine, the test says so and ends.
    pub fn start() -> Option<Daemon> {
        if crate::local::is_skipped() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let (process, port) = spawn(folder.path(), free_port(), |command| command.args(["--auth", TOKEN]));
        Some(Daemon { process, folder, port })
    }

    /// Starts a server with a configuration that uses variables of the environment.
    pub fn configured(text: &str, variables: &[(&str, String)]) -> Option<Daemon> {
        if crate::local::is_skipped() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("server.conf");
        std::fs::write(&config, text).expect("a file");
        let (process, port) = spawn(folder.path(), free_port(), |command| {
            command.arg("-c").arg(config).envs(variables.iter().map(|(name, value)| (name, value)))
        });
        Some(Daemon { process, folder, port })
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Ends the server as an operator does, so that it stores all that it knows.
    pub fn stop(&mut self) {
        kill(self.process.id(), libc::SIGTERM);
        self.process.wait().expect("it is a child");
    }

    pub fn kill(&mut self) {
        self.process.kill().expect("it is a child");
        self.process.wait().expect("it is a child");
    }

    pub fn restart(&mut self) {
        (self.process, self.port) = spawn(self.folder.path(), self.port, |command| command.args(["--auth", TOKEN]));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(folder: &Path, port: u16, access: impl FnOnce(&mut Command) -> &mut Command) -> (Child, u16) {
    let ports = folder.join("ports");
    let _ = std::fs::remove_dir_all(&ports);
    std::fs::create_dir(&ports).expect("a folder");
    let mut command = Command::new(std::env::var_os("NATS_SERVER").unwrap_or_else(|| "nats-server".into()));
    let process = access(&mut command)
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"])
        .arg(folder)
        .arg("--ports_file_dir")
        .arg(&ports)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server's program runs");
    let mut found = None;
    wait_until("the server's port", || {
        let file = std::fs::read_dir(&ports).expect("a folder").next();
        let text = file.and_then(|file| std::fs::read_to_string(file.expect("an entry").path()).ok());
        found = text.and_then(|text| text.split("nats://127.0.0.1:").nth(1)?.split('"').next()?.parse().ok());
        found.is_some()
    });
    (process, found.expect("it was found"))
}
