//! The examples in the documentation of every crate use the names of the facade, so that they compile when they are
//! copied into a program.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The crates whose items the facade has under its own names.
const CRATES: [&str; 5] = ["executor-core", "thread-pool", "process-pool", "process-sync", "command"];

/// The names of their libraries, which programs do not depend on.
const LIBRARIES: [&str; 4] = ["executor_core", "thread_pool", "process_pool", "process_sync"];

#[test]
fn examples_use_the_names_of_the_facade() {
    let mut examples = 0;
    let mut mistakes = Vec::new();
    for path in CRATES.iter().flat_map(|name| sources(&root().join(name).join("src"))) {
        let source = fs::read_to_string(&path).expect("a source file");
        let mut in_example = false;
        for (number, line) in source.lines().enumerate() {
            // An example that runs only with a feature begins in an attribute.
            if line.starts_with("#![cfg_attr") && line.contains("doc = \"```") {
                in_example = true;
                continue;
            }
            let Some(text) = line.trim_start().strip_prefix("///").or_else(|| line.trim_start().strip_prefix("//!"))
            else {
                in_example = false;
                continue;
            };
            let text = text.trim_start();
            if text.starts_with("```") {
                in_example = !in_example;
                examples += usize::from(in_example);
            // Rustdoc does not show lines that start with a hash.
            } else if in_example && !text.starts_with("# ") && LIBRARIES.iter().any(|library| has_word(text, library)) {
                mistakes.push(format!("{}:{}: {text}", path.display(), number + 1));
            }
        }
    }
    assert!(examples > 100, "found only {examples} examples");
    assert!(mistakes.is_empty(), "use the names of `concurrent_futures`:\n{}", mistakes.join("\n"));
}

fn has_word(text: &str, word: &str) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let bytes = text.as_bytes();
    text.match_indices(word).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        !is_part(before) && !is_part(bytes.get(at + word.len()))
    })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in the workspace").to_owned()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry of a folder of sources").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}
