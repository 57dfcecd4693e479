//! Deeply nested values and small stacks give a typed error for one future and never end the program.

use std::{thread, time::Duration};

use concurrent_futures::{ErrorKind, Executor, MapOptions, ProcessPoolExecutor, ReturnWhen, Transport, wait};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
struct Tree {
    name: String,
    children: Vec<Tree>,
    parent: Option<Box<Tree>>,
}

/// Builds a tree without recursion, as a parser with a stack of its own does.
fn tree(levels: usize) -> Tree {
    (0..levels).fold(Tree::default(), |inner, _| Tree { children: vec![inner], ..Tree::default() })
}

fn levels(mut tree: Tree) -> usize {
    let mut levels = 0;
    while let Some(inner) = tree.children.pop() {
        (tree, levels) = (inner, levels + 1);
    }
    levels
}

/// A tree whose `Drop` does not recurse, so that it can be dropped anywhere.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
struct Forest(Vec<Tree>);

impl Drop for Forest {
    fn drop(&mut self) {
        while let Some(mut tree) = self.0.pop() {
            self.0.append(&mut tree.children);
            self.0.extend(tree.parent.take().map(|parent| *parent));
        }
    }
}

fn grow(levels: usize) -> Forest {
    Forest(vec![tree(levels)])
}

fn pools() -> [(&'static str, ProcessPoolExecutor); 2] {
    let pool = |transport| {
        ProcessPoolExecutor::builder().max_workers(1).transport(transport).build().expect("the pool can be built")
    };
    [("ring", pool(Transport::Ring)), ("socket", pool(Transport::Socket))]
}

fn on_stack<R: Send>(bytes: usize, code: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| {
        let thread =
            thread::Builder::new().stack_size(bytes).spawn_scoped(scope, code).expect("a thread can be started");
        thread.join().expect("no panic")
    })
}

/// The sizes of the stacks. Workers have stacks of 8 MiB, so they can send values that are too deep for these.
const STACKS: [usize; 3] = [64 << 10, 256 << 10, 2 << 20];

#[test]
fn a_result_that_is_nested_too_deeply_is_an_error_for_its_future_alone() {
    for (name, pool) in pools() {
        for stack in STACKS {
            for levels in [300, 1000, 3000, 18_000, 100_000] {
                let (result, exception, mapped, waited) = on_stack(stack, || {
                    let deep = || pool.submit(grow, levels).expect("sent");
                    let result = deep().result(None).map(|_| ());
                    let exception = deep().exception(None).expect("done");
                    let mapped: Vec<_> =
                        pool.map(grow, [levels, 1]).expect("sent").map(|item| item.map(drop)).collect();
                    let waited = wait(vec![deep()], None, ReturnWhen::AllCompleted).done.len();
                    (result, exception, mapped, waited)
                });
                let fails = |error: &concurrent_futures::Error| {
                    assert!(matches!(error.kind(), ErrorKind::Encode | ErrorKind::Decode), "{name}: {error}");
                    assert!(error.to_string().contains("nested more deeply than the stack"), "{name}: {error}");
                };
                let _ = result.as_ref().map_err(fails);
                let _ = exception.as_ref().map(fails);
                let _ = mapped[0].as_ref().map_err(fails);
                assert!(mapped[1].is_ok() && waited == 1, "{name}");
                assert!(levels < 18_000 || result.is_err(), "{name}: {levels} levels on {stack} bytes");
            }
        }
        assert_eq!(pool.stats().deaths, 0, "{name}");
    }
}

#[test]
fn an_argument_that_is_nested_too_deeply_is_refused() {
    fn count(forest: Forest) -> usize {
        forest.0.len()
    }
    for (name, pool) in pools() {
        for stack in STACKS {
            on_stack(stack, || {
                let error = pool.submit(count, grow(100_000)).expect_err("too deep");
                assert_eq!(error.kind(), ErrorKind::Encode, "{name}");
                assert!(error.to_string().contains("nested more deeply than the stack"), "{name}: {error}");
                let options = MapOptions::new().chunksize(2);
                let results = pool.map_with(options, count, vec![grow(100_000), grow(1)]).expect("sent");
                let results: Vec<_> = results.collect();
                assert_eq!(results[0].as_ref().expect_err("too deep").kind(), ErrorKind::Encode, "{name}");
                assert_eq!(results[1].as_ref().expect("fine"), &1, "{name}");
                let built = ProcessPoolExecutor::builder().initializer(count, grow(100_000)).build();
                let error = built.expect_err("too deep");
                assert_eq!(error.kind(), ErrorKind::Encode, "{name}: {error}");
            });
        }
    }
}

#[test]
fn a_shallow_tree_is_transferred_on_small_stacks() {
    for (name, pool) in pools() {
        for (stack, depth) in [(64 << 10, 3), (256 << 10, 20), (2 << 20, 128)] {
            let result = on_stack(stack, || pool.submit(tree, depth).expect("sent").result(None).map(levels));
            assert_eq!(result.expect("it has a result"), depth, "{name}");
        }
    }
}

#[test]
fn a_large_result_needs_little_stack() {
    #[derive(Serialize, Deserialize)]
    struct Page {
        number: u32,
        bytes: Vec<u8>,
    }
    for (name, pool) in pools() {
        let length = on_stack(64 << 10, || {
            let bytes =
                pool.submit(|n: usize| vec![7u8; n], 8 << 20).expect("sent").result(None).expect("it has a result");
            let page = |n: usize| Page { number: 1, bytes: vec![7; n] };
            let page =
                pool.submit(page, 8 << 20).expect("sent").result(Duration::from_secs(600)).expect("it has a result");
            bytes.len() + page.bytes.len() + page.number as usize
        });
        assert_eq!(length, (16 << 20) + 1, "{name}");
    }
}
