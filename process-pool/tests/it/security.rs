//! Checks that each statement in `SECURITY.md` names an existing test or is marked as not defended.

use std::{fs, path::Path};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../SECURITY.md");

/// Where the tests are. Those of shared objects and of the cluster are in their own crates, some beside the code, and
/// those of events of tasks in a program of their own.
const SOURCES: [&str; 8] = [
    "tests/it",
    "tests",
    "src",
    "../process-sync/tests/it",
    "../process-sync/src",
    "../cluster/tests/it",
    "../cluster/src",
    "../cluster/faults/tests/it",
];

#[test]
fn every_statement_in_security_md_names_a_test_or_is_marked_as_not_defended() {
    let text = fs::read_to_string(FILE).expect("a SECURITY.md");
    // Other tables have other columns, and state nothing that a test could hold.
    let mut is_of_statements = false;
    let mut count = 0;
    for row in text.lines() {
        if !row.starts_with('|') {
            is_of_statements = false;
        } else if row.contains("| held by |") {
            is_of_statements = true;
            continue;
        }
        if !is_of_statements || !row.starts_with("| ") {
            continue;
        }
        let (_, held_by) = row.trim_end_matches('|').rsplit_once(" | ").expect("two columns");
        let tests: Vec<&str> = held_by.split('`').skip(1).step_by(2).filter(|name| name.contains("::")).collect();
        assert!(!tests.is_empty() || held_by.contains("*not defended*"), "this is held by nothing: {row}");
        tests.iter().for_each(|name| assert!(exists(name), "there is no test `{name}`: {row}"));
        count += 1;
    }
    assert!(count > 60, "{count} statements");
}

/// Returns `true` if there is a test with this full name.
fn exists(name: &str) -> bool {
    let (modules, test) = name.rsplit_once("::").expect("a module");
    let modules = modules.strip_suffix("::tests").unwrap_or(modules).replace("::", "/");
    let paths = SOURCES.map(|sources| Path::new(env!("CARGO_MANIFEST_DIR")).join(sources).join(&modules));
    let mut files = paths.iter().flat_map(|path| [path.with_extension("rs"), path.join("mod.rs")]);
    // A table in a macro has the name alone, at the beginning of a line.
    let contains = |source: &str| {
        source.contains(&format!("fn {test}("))
            || source.lines().any(|line| line.trim_start().starts_with(&format!("{test}: ")))
    };
    files.any(|file| fs::read_to_string(file).is_ok_and(|source| contains(&source)))
}
