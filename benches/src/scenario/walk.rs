//! A walk over a tree of directories, with a task for each.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Instant,
};

use ::rayon::Scope as RayonScope;
use concurrent_futures::Scope;
use tempfile::TempDir;

use super::{Scenario, WIDTH};
use crate::{
    Outcome,
    contender::{Contender, Role, rayon::Rayon, threads::Spawn},
    driver::{Driver, Side, Table, Target, probe::Probe},
    machine::resident,
};

pub(super) const SCENARIO: Scenario = Scenario {
    name: "walk",
    title: "recursive scope",
    about: "A task for each directory of a tree spawns tasks for those below it into the same scope, and adds the number of its \
            files to a counter that all borrow. No handle is kept. The second and the third table have trees that exist \
            only as numbers, so the cost is that of the scope; the memory is by how much the most resident memory of a \
            process of its own exceeds what it had before there was a pool.",
    plot: None,
    run,
};

const OURS: &str = "threads, Scope::spawn";
const RAYON: &str = "rayon Scope::spawn";

/// The directories in each directory, and how deep they lie.
const BRANCHES: u64 = 8;
const DEPTH: u32 = 3;
const FILES: u64 = 4;

/// The depth of the tree that exists only as numbers.
const DEEP: u32 = 6;

fn run(driver: &mut Driver) -> Outcome<()> {
    let (directories, tasks) = (nodes(DEPTH), nodes(DEEP));
    let (spawn, rayon) = (Spawn::build(WIDTH)?, Rayon::build(WIDTH)?);
    let (ours, theirs) = (Tree::new()?, Tree::new()?);
    let table = Table::new(format!("threads: a walk over {directories} directories"), "us per directory")
        .side(side(OURS, Role::Ours, directories, 1e3, move |files| {
            spawn.scope(|scope| walk(scope, ours.root(), files));
        }))
        .side(side(RAYON, Role::Peer, directories, 1e3, move |files| {
            rayon.0.scope(|scope| walk_in_rayon(scope, theirs.root(), files));
        }))
        .target(Target::times(OURS, 1.0, RAYON));
    driver.compare(table)?;

    let (spawn, rayon) = (Spawn::build(WIDTH)?, Rayon::build(WIDTH)?);
    let table = Table::new(format!("threads: a scope of {tasks} recursive tasks"), "ns per task")
        .side(side(OURS, Role::Ours, tasks, 1.0, move |files| spawn.scope(|scope| grow(scope, DEEP, files))))
        .side(side(RAYON, Role::Peer, tasks, 1.0, move |files| {
            rayon.0.scope(|scope| grow_in_rayon(scope, DEEP, files));
        }))
        .target(Target::times(OURS, 1.0, RAYON));
    driver.compare(table)?;

    let table = Table::new(format!("threads: most memory of a scope of {tasks} recursive tasks"), "KiB")
        .side(memory(OURS, Role::Ours))
        .side(memory(RAYON, Role::Peer))
        .target(Target::times(OURS, 1.1, RAYON));
    driver.compare(table)
}

/// Returns the number of nodes of a tree, its root included.
fn nodes(depth: u32) -> u64 {
    (0..=depth).map(|level| BRANCHES.pow(level)).sum()
}

fn side(label: &str, role: Role, tasks: u64, unit: f64, count: impl Fn(&AtomicU64) + 'static) -> Side {
    Side::new(label, role, move || {
        let files = AtomicU64::new(0);
        let start = Instant::now();
        count(&files);
        let cost = start.elapsed().as_nanos() as f64 / tasks as f64 / unit;
        assert_eq!(files.into_inner(), tasks * FILES, "a contender lost a task");
        cost
    })
}

fn memory(label: &'static str, role: Role) -> Side {
    Side::new(label, role, move || Probe::start(&["walk", label]).expect("this program starts again").figure())
}

/// Measures a contender in this process. Returns KiB.
pub(super) fn probe(name: &str) -> Outcome<f64> {
    let before = resident::now()?;
    let files = AtomicU64::new(0);
    match name {
        OURS => Spawn::build(WIDTH)?.scope(|scope| grow(scope, DEEP, &files)),
        RAYON => Rayon::build(WIDTH)?.0.scope(|scope| grow_in_rayon(scope, DEEP, &files)),
        _ => return Err("no such contender".into()),
    }
    assert_eq!(files.into_inner(), nodes(DEEP) * FILES, "a contender lost a task");
    Ok(resident::most()? - before)
}

/// A tree of directories on the disk, or in memory where that is where temporary files are.
struct Tree(TempDir);

impl Tree {
    fn new() -> Outcome<Tree> {
        let tree = Tree(tempfile::tempdir()?);
        fill(tree.0.path(), DEPTH)?;
        Ok(tree)
    }

    fn root(&self) -> PathBuf {
        self.0.path().to_path_buf()
    }
}

fn fill(directory: &Path, depth: u32) -> Outcome<()> {
    for file in 0..FILES {
        fs::write(directory.join(format!("file{file}")), "")?;
    }
    for branch in 0..if depth > 0 { BRANCHES } else { 0 } {
        let below = directory.join(format!("directory{branch}"));
        fs::create_dir(&below)?;
        fill(&below, depth - 1)?;
    }
    Ok(())
}

/// Adds the files of a directory, and returns the directories in it.
fn read(directory: &Path, files: &AtomicU64) -> Vec<PathBuf> {
    let mut below = Vec::new();
    let mut seen = 0;
    for entry in fs::read_dir(directory).expect("the tree exists") {
        let entry = entry.expect("the tree exists");
        if entry.file_type().expect("the tree exists").is_dir() {
            below.push(entry.path());
        } else {
            seen += 1;
        }
    }
    // ORDERING: the end of the scope publishes the sum.
    files.fetch_add(seen, Relaxed);
    below
}

fn walk<'scope>(scope: &'scope Scope<'scope, '_>, directory: PathBuf, files: &'scope AtomicU64) {
    for below in read(&directory, files) {
        drop(scope.spawn(move || walk(scope, below, files)));
    }
}

fn walk_in_rayon<'scope>(scope: &RayonScope<'scope>, directory: PathBuf, files: &'scope AtomicU64) {
    for below in read(&directory, files) {
        scope.spawn(move |scope| walk_in_rayon(scope, below, files));
    }
}

fn grow<'scope>(scope: &'scope Scope<'scope, '_>, depth: u32, files: &'scope AtomicU64) {
    // ORDERING: as in `read`.
    files.fetch_add(FILES, Relaxed);
    for _ in 0..if depth > 0 { BRANCHES } else { 0 } {
        drop(scope.spawn(move || grow(scope, depth - 1, files)));
    }
}

fn grow_in_rayon<'scope>(scope: &RayonScope<'scope>, depth: u32, files: &'scope AtomicU64) {
    // ORDERING: as in `read`.
    files.fetch_add(FILES, Relaxed);
    for _ in 0..if depth > 0 { BRANCHES } else { 0 } {
        scope.spawn(move |scope| grow_in_rayon(scope, depth - 1, files));
    }
}
