//! The default input: the sources of dependencies, which exist wherever this workspace was built.

use std::collections::HashSet;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct DefaultPaths {
    pub paths: Vec<PathBuf>,
    pub what: String,
}

/// Returns the downloaded sources of the packages in this workspace's `Cargo.lock`, or all downloaded sources if there
/// are none of those.
pub fn find() -> Result<DefaultPaths, String> {
    let sources =
        cargo_home().ok_or("neither CARGO_HOME nor HOME is set; name a PATH to walk")?.join("registry").join("src");
    let cannot_list = |error: io::Error| {
        format!("{}: {error}; cargo keeps no downloaded sources there, so name a PATH to walk", sources.display())
    };
    let mut downloaded = Vec::new();
    for registry in directories_in(&sources).map_err(cannot_list)? {
        downloaded.extend(directories_in(&registry).map_err(cannot_list)?);
    }
    if downloaded.is_empty() {
        return Err(format!("{} is empty; name a PATH to walk", sources.display()));
    }

    let locked = locked_packages();
    let of_this_workspace: Vec<PathBuf> = downloaded
        .iter()
        .filter(|path| path.file_name().is_some_and(|name| locked.contains(&*name.to_string_lossy())))
        .cloned()
        .collect();
    Ok(if of_this_workspace.is_empty() {
        DefaultPaths { what: format!("all {} packages in {}", downloaded.len(), sources.display()), paths: downloaded }
    } else {
        let packages = of_this_workspace.len();
        DefaultPaths {
            what: format!("the sources of {packages} packages in Cargo.lock, in {}", sources.display()),
            paths: of_this_workspace,
        }
    })
}

fn cargo_home() -> Option<PathBuf> {
    match env::var_os("CARGO_HOME") {
        Some(home) => Some(PathBuf::from(home)),
        None => Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")),
    }
}

/// Returns the directories in a directory. They are sorted, because the digest over all files depends on their order.
fn directories_in(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut directories = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            directories.push(entry.path());
        }
    }
    directories.sort_unstable();
    Ok(directories)
}

/// Returns the `name-version` of each package in `Cargo.lock`, which is the name of its directory. Cargo writes this
/// file with one key on each line, so it can be read without a TOML parser.
fn locked_packages() -> HashSet<String> {
    let lock_file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    // An installed binary has no workspace beside it. Then no package is found, and all sources are used.
    let lock_file = fs::read_to_string(lock_file).unwrap_or_default();
    let mut packages = HashSet::new();
    let mut name = "";
    for line in lock_file.lines() {
        let Some((key, value)) = line.split_once(" = ") else {
            continue;
        };
        match key {
            "name" => name = value.trim_matches('"'),
            "version" => drop(packages.insert(format!("{name}-{}", value.trim_matches('"')))),
            _ => {}
        }
    }
    packages
}
