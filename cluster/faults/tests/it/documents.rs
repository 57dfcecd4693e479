//! What the documentation quotes.

use std::{fs, path::Path};

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_page_on_running_a_cluster_has_the_permissions_that_the_tests_use() {
    let (page, permissions) = (file("docs/cluster.md"), file("cluster/permissions.conf"));
    assert!(page.contains(permissions.trim()), "copy cluster/permissions.conf to docs/cluster.md");
}
