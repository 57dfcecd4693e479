//! The machine and the versions that figures were measured with.

use std::{fs, process::Command};

use serde::{Deserialize, Serialize};

/// The packages of the peers.
const PEERS: [&str; 11] = [
    "rayon",
    "async-executor",
    "tokio",
    "threadpool",
    "rusty_pool",
    "futures",
    "oneshot",
    "procspawn",
    "ipc-channel",
    "crossbeam-channel",
    "parking_lot",
];

/// The workspace.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A fact about the machine or a version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fact {
    /// The name.
    pub name: String,
    /// The value, or `unknown`.
    pub value: String,
}

/// Returns the facts about the machine and the versions.
pub fn facts() -> Vec<Fact> {
    let unknown = || "unknown".to_string();
    let processors = std::thread::available_parallelism().map_or_else(|_| unknown(), |count| count.to_string());
    let model = line("/proc/cpuinfo", "model name").unwrap_or_else(unknown);
    let memory = line("/proc/meminfo", "MemTotal").and_then(|memory| memory.split(' ').next()?.parse::<f64>().ok());
    let load = fs::read_to_string("/proc/loadavg").ok().and_then(|load| Some(load.split(' ').next()?.to_string()));
    let kernel = line("/proc/sys/kernel/osrelease", "").unwrap_or_else(unknown);
    let commit = output("git", &["-C", ROOT, "log", "-1", "--format=%h of %cs"]).unwrap_or_else(unknown);
    let peers = PEERS.map(|peer| format!("{peer} {}", version(peer).unwrap_or("of unknown version")));
    [
        ("processor", format!("{model}, {processors} for this process")),
        ("memory", memory.map_or_else(unknown, |kib| format!("{:.1} GiB", kib / 1024.0 / 1024.0))),
        ("system", format!("{}, Linux {kernel}", std::env::consts::ARCH)),
        ("load before", load.unwrap_or_else(unknown)),
        ("commit", if has_changes() { format!("{commit}, with changes that are not committed") } else { commit }),
        ("compiler", output("rustc", &["--version"]).unwrap_or_else(unknown)),
        ("python", output("python3", &["--version"]).unwrap_or_else(|| "none".into())),
        ("peers", peers.join(", ")),
    ]
    .map(|(name, value)| Fact { name: name.to_string(), value })
    .into()
}

/// Returns `true` if files differ from the commit, apart from those that a report writes.
fn has_changes() -> bool {
    let reports =
        [":!BENCHMARKS.md", ":!TARGETS.md", ":!docs/performance.md", ":!benches/measured.json", ":!benches/plots"];
    let status = ["-C", ROOT, "status", "--porcelain", "--", "."].into_iter().chain(reports);
    output("git", &status.collect::<Vec<_>>()).is_some_and(|changes| !changes.is_empty())
}

/// Returns the text after the colon in the first line that begins with `beginning`.
fn line(file: &str, beginning: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(beginning))?;
    Some(line.split_once(':').map_or(line, |(_, rest)| rest).trim().to_string())
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// Returns the version of a package in the lock file of this build.
fn version(package: &str) -> Option<&'static str> {
    let lock = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"));
    let (_, rest) = lock.split_once(&format!("name = \"{package}\"\nversion = \""))?;
    Some(rest.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_every_peer_is_known() {
        for peer in PEERS {
            assert!(version(peer).is_some(), "{peer} is not in the lock file");
        }
    }
}
