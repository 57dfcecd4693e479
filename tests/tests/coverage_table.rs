//! Checks that the tables in `README.md` and the tests agree.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Returns the names of all functions in a folder of sources, as `file::function`. The functions of a test that is a
/// folder have the name of the folder in front.
fn functions_in(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut names = BTreeSet::new();
    for path in paths_in(&folder) {
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let files = if path.is_dir() { paths_in(&path) } else { vec![path] };
        files.iter().filter(|file| file.extension() == Some("rs".as_ref())).for_each(|file| {
            names.extend(functions_of(file).into_iter().map(|function| format!("{name}::{function}")));
        });
    }
    names
}

fn paths_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the sources are beside this package").flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Returns the names of the functions of a source file.
fn functions_of(file: &Path) -> Vec<String> {
    let source = fs::read_to_string(file).expect("a source is text");
    let name = |line: &str| {
        let (before, after) = line.split_once("fn ")?;
        let is_item = matches!(before.trim(), "" | "pub" | "pub(super)");
        is_item.then(|| after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
    };
    source.lines().filter_map(name).collect()
}

/// Returns the functions of the tests of all back-ends together, which the cases of `concurrent.futures` name.
fn all_functions() -> BTreeSet<String> {
    functions_in("tests").into_iter().chain(functions_in("../conformance/src/rules")).collect()
}

/// Returns the functions of the tests of the crates, which the cases of `multiprocessing` name.
fn functions_of_crates() -> BTreeSet<String> {
    let folders = ["../process-sync/tests/it", "../process-pool/tests/it"];
    folders.into_iter().flat_map(functions_in).collect()
}

/// The ids of the cases of `concurrent.futures` and of `multiprocessing`, as names begin with them and as the tables
/// have them.
const FUTURES: (&str, &str) = ("cf_", "CF-");
const MULTIPROCESSING: (&str, &str) = ("mp_", "MP-");

/// Returns the ids at the start of a name. `cf_046_cf_058_no_more_...` has 46 and 58.
fn ids_of(name: &str, (prefix, _): (&str, &str)) -> BTreeSet<u32> {
    let name = name.rsplit("::").next().unwrap_or(name);
    let mut ids = BTreeSet::new();
    let mut rest = name;
    while let Some(id) = rest.strip_prefix(prefix).and_then(|rest| rest.get(..3)).and_then(|id| id.parse().ok()) {
        ids.insert(id);
        rest = rest[6..].trim_start_matches('_');
    }
    ids
}

/// Reads a table: the names of tests for each id.
fn table((_, prefix): (&str, &str)) -> BTreeMap<u32, BTreeSet<String>> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("it exists");
    let mut table = BTreeMap::new();
    for row in readme.lines().filter_map(|line| line.strip_prefix("| ")?.strip_prefix(prefix)) {
        let cells: Vec<_> = row.split(" | ").map(str::trim).collect();
        let id = cells[0].parse().expect("an id is a number");
        let tests = cells[2].split('`').skip(1).step_by(2).map(str::to_string).collect();
        assert!(matches!(cells[3], "same" | "different"), "{prefix}{id:03} is {}", cells[3]);
        let says_why = cells.get(4).is_some_and(|why| !why.trim_end_matches('|').trim().is_empty());
        assert_eq!(
            says_why,
            cells[3] == "different",
            "{prefix}{id:03}: a difference has a reason, and nothing else has"
        );
        assert!(table.insert(id, tests).is_none(), "{prefix}{id:03} is listed twice");
    }
    table
}

#[test]
fn each_test_of_the_table_exists_and_has_the_id_in_its_name() {
    let functions = all_functions();
    for (id, tests) in table(FUTURES) {
        assert!(!tests.is_empty(), "CF-{id:03} names no test");
        for test in tests {
            assert!(functions.contains(&test), "CF-{id:03} names `{test}`, which does not exist");
            assert!(ids_of(&test, FUTURES).contains(&id), "CF-{id:03} names `{test}`, whose name lacks the id");
        }
    }
}

#[test]
fn each_test_of_the_table_of_processes_and_shared_objects_exists() {
    let functions = functions_of_crates();
    for (id, tests) in table(MULTIPROCESSING) {
        assert!(!tests.is_empty(), "MP-{id:03} names no test");
        for test in tests {
            assert!(functions.contains(&test), "MP-{id:03} names `{test}`, which does not exist");
            let ids = ids_of(&test, MULTIPROCESSING);
            assert!(ids.is_empty() || ids.contains(&id), "MP-{id:03} names `{test}`, which is that of another case");
        }
    }
}

#[test]
fn each_test_with_an_id_is_in_the_table() {
    for (ids, functions) in [(FUTURES, all_functions()), (MULTIPROCESSING, functions_of_crates())] {
        let table = table(ids);
        for function in functions {
            for id in ids_of(&function, ids) {
                let listed = table.get(&id).is_some_and(|tests| tests.contains(&function));
                assert!(listed, "`{function}` is not listed under {}{id:03}", ids.1);
            }
        }
    }
}

#[test]
fn every_case_that_applies_is_in_the_table() {
    // These cases have no meaning in this library; README.md lists their subjects.
    let without =
        [10, 24, 30, 37, 43, 51, 62, 70, 71, 72, 131, 132, 135, 136, 137, 139, 140, 141, 142, 143, 144, 151, 152, 155];
    let expected: Vec<u32> = (1..=155).filter(|id| !without.contains(id)).collect();
    assert_eq!(table(FUTURES).into_keys().collect::<Vec<_>>(), expected);
}

#[test]
fn every_case_of_processes_and_shared_objects_that_applies_is_in_the_table() {
    // These cases have no meaning in this library; README.md lists their subjects.
    let without = [12, 22, 23, 24];
    let blocks = [1..=33, 101..=119, 201..=231, 301..=312, 601..=610];
    let expected: Vec<u32> = blocks.into_iter().flatten().filter(|id| !without.contains(id)).collect();
    assert_eq!(table(MULTIPROCESSING).into_keys().collect::<Vec<_>>(), expected);
}

#[test]
fn the_tests_of_the_table_of_other_rules_exist() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("it exists");
    let (_, second) = readme.split_once("## Rules that no case").expect("it has a table of other rules");
    let functions = all_functions();
    let tests: Vec<_> = second.split('`').skip(1).step_by(2).filter(|name| name.contains("::")).collect();
    assert!(tests.len() >= 12);
    for test in tests {
        assert!(functions.contains(test), "`{test}` does not exist");
    }
}
