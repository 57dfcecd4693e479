//! What the figures were taken on, and of what.

use std::{fs, process::Command};

/// The peers, as their packages are called.
const PEERS: [&str; 8] =
    ["rayon", "async-executor", "tokio", "threadpool", "rusty_pool", "futures", "oneshot", "procspawn"];

/// The workspace.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Pairs of what it is and what it is here. What cannot be found out is said to be unknown.
pub fn facts() -> Vec<(&'static str, String)> {
    let unknown = || "unknown".to_string();
    let processors = std::thread::available_parallelism().map_or_else(|_| unknown(), |count| count.to_string());
    let model = line("/proc/cpuinfo", "model name").unwrap_or_else(unknown);
    let memory = line("/proc/meminfo", "MemTotal").and_then(|memory| memory.split(' ').next()?.parse::<f64>().ok());
    let load = fs::read_to_string("/proc/loadavg").ok().and_then(|load| Some(load.split(' ').next()?.to_string()));
    // What is written is no change of what is measured.
    let changes = ["-C", ROOT, "status", "--porcelain", "--", ".", ":!BENCHMARKS.md", ":!benches/plots"];
    let dirty = answer("git", &changes).is_some_and(|changes| !changes.is_empty());
    let commit = answer("git", &["-C", ROOT, "log", "-1", "--format=%h of %cs"]).unwrap_or_else(unknown);
    vec![
        ("processor", format!("{model}, {processors} for this process")),
        ("memory", memory.map_or_else(unknown, |kib| format!("{:.1} GiB", kib / 1024.0 / 1024.0))),
        (
            "system",
            format!(
                "{}, Linux {}",
                std::env::consts::ARCH,
                line("/proc/sys/kernel/osrelease", "").unwrap_or_else(unknown)
            ),
        ),
        ("load before", load.unwrap_or_else(unknown)),
        ("commit", if dirty { format!("{commit}, with changes that are not committed") } else { commit }),
        ("compiler", answer("rustc", &["--version"]).unwrap_or_else(unknown)),
        ("python", answer("python3", &["--version"]).unwrap_or_else(|| "none".into())),
        ("peers", PEERS.map(|peer| format!("{peer} {}", version(peer).unwrap_or("of unknown version"))).join(", ")),
    ]
}

/// What stands behind the colon in the first line that begins so.
fn line(file: &str, beginning: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(beginning))?;
    Some(line.split_once(':').map_or(line, |(_, rest)| rest).trim().to_string())
}

fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

/// What was built, from the lock file of that build.
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
