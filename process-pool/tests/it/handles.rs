//! Handles, which are descriptors in arguments and results.

use std::{
    fs::File,
    io::{Read, Write},
    os::{
        fd::AsFd,
        unix::{fs::FileExt, net::UnixStream},
    },
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use executor_core::{
    Error, ErrorKind, Executor, Future, InlineExecutor, MapOptions, TaskOptions,
    codec::handles::{self, Handle},
    task,
};
use process_pool::{ProcessPoolExecutor, Transport};

use crate::support::{Blocker, SharedDir, add_line, builder, get, kill, on_both, open_descriptors, pool, wait_until};

/// Makes the handle of a file with this text. The file has no name.
fn text(text: impl AsRef<str>) -> Handle {
    let file = tempfile::tempfile().expect("a file");
    file.write_all_at(text.as_ref().as_bytes(), 0).expect("written");
    Handle::new(file.into())
}

fn file(handle: &Handle) -> File {
    File::from(handle.as_fd().try_clone_to_owned().expect("a descriptor"))
}

fn read(handle: Handle) -> String {
    let mut bytes = [0; 100];
    let count = file(&handle).read_at(&mut bytes, 0).expect("read");
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

/// Returns a pair of sockets: its end, which is closed once no process has the handle any more, and the handle.
fn pair() -> (UnixStream, Handle) {
    let (reader, writer) = UnixStream::pair().expect("a pair");
    (reader, Handle::new(writer.into()))
}

/// Waits until no process has the handle of a pair, and returns what was written to it.
fn rest(mut reader: UnixStream) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("read");
    text
}

fn write((handle, text): (Handle, String)) {
    file(&handle).write_all(text.as_bytes()).expect("written");
}

fn nothing() -> Handle {
    Handle::new(File::open("/dev/null").expect("it is there").into())
}

#[test]
fn a_handle_travels_as_an_argument_and_in_one() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        assert_eq!(get(&pool.submit(read, text("one")).unwrap()).unwrap(), "one");
        let many: Vec<Handle> = (0..200).map(|n| text(n.to_string())).collect();
        let all = |(handles, name): (Vec<Handle>, String)| -> Vec<String> {
            handles.into_iter().map(|handle| format!("{name}{}", read(handle))).collect()
        };
        let expected: Vec<String> = (0..200).map(|n| format!("a{n}")).collect();
        for _ in 0..3 {
            assert_eq!(get(&pool.submit(all, (many.clone(), "a".into())).unwrap()).unwrap(), expected);
        }
    });
}

#[test]
fn more_handles_than_the_channel_has_space_for_travel_in_one_argument() {
    on_both(|transport| {
        let pool = builder(transport, 1).build().unwrap();
        const MANY: usize = 900;
        let limit = |(): ()| rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
        if get(&pool.submit(limit, ()).unwrap()).unwrap().is_some_and(|most| most < 2048) {
            return;
        }
        let handles: Vec<Handle> = (0..MANY).map(|_| nothing()).collect();
        let count = |(raised, handles): (bool, Vec<Handle>)| (raised, handles.len());
        assert_eq!(get(&pool.submit(count, (true, handles)).unwrap()).unwrap(), (true, MANY));
    });
}

#[test]
fn the_descriptors_of_a_handle_are_closed_everywhere_after_its_last_clone_and_its_last_task() {
    on_both(|transport| {
        let pool = pool(transport, 2);
        for round in ["first", "second"] {
            let (reader, handle) = pair();
            for _ in 0..4 {
                get(&pool.submit(write, (handle.clone(), round.to_string())).unwrap()).unwrap();
            }
            drop(handle);
            // The pool is idle, and the workers are told nevertheless.
            assert_eq!(rest(reader), round.repeat(4));
        }
    });
}

#[test]
fn a_descriptor_is_sent_to_a_worker_once() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        let handle = nothing();
        let descriptors = |handle: Handle| (handle.instance(), open_descriptors());
        let first = get(&pool.submit(descriptors, handle.clone()).unwrap()).unwrap();
        for _ in 0..10 {
            assert_eq!(get(&pool.submit(descriptors, handle.clone()).unwrap()).unwrap(), first);
        }
    });
}

#[test]
fn a_handle_travels_as_a_result() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        assert_eq!(
            read(get(&pool.submit(|word: String| text(word), "made there".into()).unwrap()).unwrap()),
            "made there"
        );
        // The worker returns the handle of its argument, which this process has already.
        let handle = text("returned");
        let back = get(&pool.submit(|handle: Handle| handle, handle.clone()).unwrap()).unwrap();
        assert_eq!((back.instance(), read(back)), (handle.instance(), "returned".into()));
        // This process has dropped it meanwhile.
        let future = pool.submit(|(handle, n): (Handle, u8)| (n, handle), (text("kept"), 7)).unwrap();
        let (seven, back) = get(&future).unwrap();
        assert_eq!((seven, read(back)), (7, "kept".into()));
        let many = |count: usize| -> Vec<Handle> { (0..count).map(|n| text(n.to_string())).collect() };
        let handles = get(&pool.submit(many, 150).unwrap()).unwrap();
        assert!(handles.into_iter().map(read).eq((0..150).map(|n| n.to_string())));
    });
}

#[test]
fn a_result_that_is_not_read_leaves_no_descriptor() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        let (reader, handle) = pair();
        let future = pool.submit(|handle: Handle| handle, handle).unwrap();
        assert!(future.exception(crate::support::DEADLINE).unwrap().is_none());
        drop(future);
        assert_eq!(rest(reader), "");
        let (reader, handle) = pair();
        drop(pool.submit(|handle: Handle| handle, handle).unwrap());
        assert_eq!(rest(reader), "");
    });
}

#[test]
fn a_result_with_too_many_handles_is_an_encode_error_and_the_worker_goes_on() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        let many = |count: usize| vec![nothing(); count].into_iter().map(|handle| (handle, ())).collect::<Vec<_>>();
        assert_eq!(get(&pool.submit(many, 5000).unwrap()).unwrap().len(), 5000, "they are one handle");
        let others = |count: usize| -> Vec<Handle> {
            raise_limit(());
            (0..count).map(|_| nothing()).collect()
        };
        let error = get(&pool.submit(others, 1025).unwrap()).expect_err("too many");
        assert_eq!(error.kind(), ErrorKind::Encode, "{error}");
        assert!(error.to_string().contains("the result has 1025 handles, and at most 1024 can be sent"), "{error}");
        assert_eq!(get(&pool.submit(read, text("after")).unwrap()).unwrap(), "after");
    });
}

fn raise_limit((): ()) {
    set_limit(rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum.unwrap_or(4096));
}

fn set_limit(descriptors: u64) {
    let resource = rustix::process::Resource::Nofile;
    let maximum = rustix::process::getrlimit(resource).maximum;
    let limit = rustix::process::Rlimit { current: Some(descriptors), maximum };
    rustix::process::setrlimit(resource, limit).expect("a limit below the maximum");
}

static GIVEN: OnceLock<Handle> = OnceLock::new();

#[test]
fn an_initializer_has_handles_in_every_worker_and_its_replacement() {
    on_both(|transport| {
        let initialize = |handle: Handle| GIVEN.set(handle).expect("once");
        let pool = builder(transport, 1).initializer(initialize, text("for all")).build().unwrap();
        let given = |(): ()| read(GIVEN.get().expect("initialized").clone());
        for _ in 0..3 {
            assert_eq!(get(&pool.submit(given, ()).unwrap()).unwrap(), "for all");
            let before = pool.worker_pids();
            kill(before[0], libc::SIGKILL);
            wait_until("another worker", || !pool.worker_pids().is_empty() && pool.worker_pids() != before);
        }
    });
}

#[test]
fn a_map_carries_the_handles_of_its_items_in_batches() {
    on_both(|transport| {
        let pool = pool(transport, 2);
        for chunksize in [1, 7, 100] {
            let options = MapOptions::new().chunksize(chunksize);
            let there = pool.map_with(options.clone(), read, (0..100).map(|n| text(n.to_string()))).unwrap();
            let texts: Vec<String> = there.collect::<Result<_, Error>>().unwrap();
            assert!(texts.iter().eq((0..100).map(|n| n.to_string()).collect::<Vec<_>>().iter()));
            let make = |n: u32| if n % 3 == 1 { Some(text(n.to_string())) } else { None };
            let back = pool.map_with(options, make, 0..100).unwrap();
            for (n, item) in back.enumerate() {
                let found = item.unwrap().map(read);
                assert_eq!(found, (n % 3 == 1).then(|| n.to_string()), "chunks of {chunksize}");
            }
        }
    });
}

#[test]
fn an_item_that_kills_its_worker_costs_no_handle_of_its_neighbours() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        let run = |(n, handle): (u32, Handle)| {
            if n == 5 {
                std::process::abort();
            }
            (read(handle), text(format!("back {n}")))
        };
        let items = (0..12).map(|n| (n, text(n.to_string())));
        let results: Vec<_> = pool.map_with(MapOptions::new().chunksize(12), run, items).unwrap().collect();
        for (n, result) in results.into_iter().enumerate() {
            match result {
                Ok((there, back)) => assert_eq!((there, read(back)), (n.to_string(), format!("back {n}"))),
                Err(error) => assert_eq!((n, error.kind()), (5, ErrorKind::WorkerDied), "{error}"),
            }
        }
    });
}

#[test]
fn a_task_that_runs_again_after_its_worker_died_has_its_handles() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        let dies_twice = |(handle, known): (Handle, Handle)| {
            if task::current().expect("a task").attempt() < 3 {
                std::process::abort();
            }
            read(handle) + &read(known)
        };
        let known = text(" and known");
        get(&pool.submit(read, known.clone()).unwrap()).unwrap();
        let future = pool.submit_with(TaskOptions::new().retries(2), dies_twice, (text("again"), known)).unwrap();
        assert_eq!(get(&future).unwrap(), "again and known");
    });
}

#[test]
fn a_task_that_waits_for_a_worker_that_dies_has_its_handles_in_another() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        let dir = SharedDir::new();
        let blocker = Blocker::start(&pool);
        let handle = text("later");
        let waiting: Vec<Future<String>> = (0..5).map(|_| pool.submit(read, handle.clone()).unwrap()).collect();
        add_line(&dir.path("killed"), 1);
        kill(pool.worker_pids()[0], libc::SIGKILL);
        assert_eq!(get(&blocker.future).expect_err("it was killed").kind(), ErrorKind::WorkerDied);
        for future in waiting {
            assert_eq!(get(&future).unwrap(), "later");
        }
    });
}

#[test]
fn a_task_that_moves_to_an_idle_worker_has_its_handles_there() {
    on_both(|transport| {
        let pool = pool(transport, 2);
        for _ in 0..20 {
            let blocker = Blocker::start(&pool);
            let (reader, handle) = pair();
            let futures: Vec<Future<()>> =
                (0..30).map(|n| pool.submit(write, (handle.clone(), format!("{n} "))).unwrap()).collect();
            drop(handle);
            futures.iter().for_each(|future| get(future).unwrap());
            blocker.release();
            assert_eq!(rest(reader).split_whitespace().count(), 30);
        }
    });
}

#[test]
fn a_cancelled_task_drops_its_handles() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        let blocker = Blocker::start(&pool);
        // Some are in the queue of the pool, and some may be in that of the worker.
        let waiting: Vec<(UnixStream, Future<()>)> = (0..10)
            .map(|_| {
                let (reader, handle) = pair();
                (reader, pool.submit(write, (handle, "never".into())).unwrap())
            })
            .collect();
        let cancelled: Vec<UnixStream> = waiting
            .into_iter()
            .map(|(reader, future)| {
                assert!(future.cancel());
                reader
            })
            .collect();
        blocker.release();
        for reader in cancelled {
            assert_eq!(rest(reader), "");
        }
    });
}

#[test]
fn dropping_the_pool_closes_the_descriptors_of_its_workers() {
    on_both(|transport| {
        let pool = pool(transport, 2);
        let (reader, handle) = pair();
        for _ in 0..5 {
            get(&pool.submit(write, (handle.clone(), "x".into())).unwrap()).unwrap();
        }
        drop(pool);
        drop(handle);
        assert_eq!(rest(reader), "xxxxx");
    });
}

#[test]
fn ten_thousand_handles_go_through_one_worker_that_may_have_256_descriptors() {
    on_both(|transport| {
        let pool = builder(transport, 1).initializer(|most: u64| set_limit(most), 256).build().unwrap();
        let take = |handle: Handle| file(&handle).metadata().is_ok();
        let give = |(): ()| nothing();
        for _ in 0..25 {
            let there: Vec<Future<bool>> = (0..200).map(|_| pool.submit(take, nothing()).unwrap()).collect();
            assert!(there.iter().all(|future| get(future).unwrap()));
            let back: Vec<Future<Handle>> = (0..200).map(|_| pool.submit(give, ()).unwrap()).collect();
            assert!(back.iter().all(|future| file(&get(future).unwrap()).metadata().is_ok()));
        }
        let left = get(&pool.submit(|(): ()| open_descriptors(), ()).unwrap()).unwrap();
        assert!(left < 100, "{left} descriptors are open in the worker");
    });
}

#[test]
fn a_worker_without_free_descriptors_says_which_limit_to_raise_and_goes_on() {
    static HELD: std::sync::Mutex<Vec<File>> = std::sync::Mutex::new(Vec::new());
    on_both(|transport| {
        let pool = pool(transport, 1);
        let use_up = |(): ()| {
            set_limit(40);
            let mut held = HELD.lock().unwrap();
            while let Ok(file) = File::open("/dev/null") {
                held.push(file);
            }
        };
        get(&pool.submit(use_up, ()).unwrap()).unwrap();
        let handle = text("after all");
        let error = get(&pool.submit(read, handle.clone()).unwrap()).expect_err("no descriptor is free");
        assert_eq!(error.kind(), ErrorKind::Decode, "{error}");
        assert!(error.to_string().contains("raise the limit of descriptors"), "{error}");
        get(&pool.submit(|(): ()| HELD.lock().unwrap().clear(), ()).unwrap()).unwrap();
        // The parent knows that the worker does not have it.
        assert_eq!(get(&pool.submit(read, handle).unwrap()).unwrap(), "after all");
    });
}

#[test]
fn what_a_task_gives_to_another_format_is_refused_in_a_worker_too() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        let encodes = |handle: Handle| {
            let refused = executor_core::codec::encode(&handle, &mut Vec::new()).is_err();
            (refused, handles::attach(&handle).is_err())
        };
        assert_eq!(get(&pool.submit(encodes, nothing()).unwrap()).unwrap(), (true, true));
    });
}

#[test]
fn in_process_executors_pass_handles_as_any_value() {
    let handle = text("here");
    let future = InlineExecutor::new().submit(|handle: Handle| (read(handle.clone()), handle), handle.clone()).unwrap();
    let (there, back) = future.result(None).unwrap();
    assert_eq!((there.as_str(), back.instance()), ("here", handle.instance()));
}

/// Tasks of many threads with common handles and handles of their own, while workers are killed.
#[test]
fn handles_and_killed_workers_in_any_order() {
    static CASES: AtomicUsize = AtomicUsize::new(0);
    fn work(pool: &ProcessPoolExecutor, common: &Handle, thread: usize) {
        for round in 0..40 {
            let own = text(format!("{thread} {round}"));
            let both = |(common, own): (Handle, Handle)| (read(common), read(own.clone()), own);
            let options = TaskOptions::new().retries(20);
            let future = pool.submit_with(options, both, (common.clone(), own)).unwrap();
            if round % 7 == 0 && future.cancel() {
                continue;
            }
            let (a, b, back) = get(&future).unwrap();
            let expected = format!("{thread} {round}");
            assert_eq!((a.as_str(), &b, &read(back)), ("common", &expected, &expected));
            CASES.fetch_add(1, SeqCst);
        }
    }
    fn run(transport: Transport) {
        let pool = pool(transport, 2);
        let common = text("common");
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3)
                .map(|thread| {
                    scope.spawn({
                        let (pool, common) = (&pool, &common);
                        move || work(pool, common, thread)
                    })
                })
                .collect();
            let mut seen = CASES.load(SeqCst);
            while !threads.iter().all(|thread| thread.is_finished()) {
                // After some progress, so that the retries are enough.
                if CASES.load(SeqCst) > seen + 12 {
                    seen = CASES.load(SeqCst);
                    pool.worker_pids().first().into_iter().for_each(|pid| kill(*pid, libc::SIGKILL));
                }
                std::thread::yield_now();
            }
        });
    }
    on_both(run);
}

/// Counts the ends of processes that had a handle.
#[derive(Default)]
struct Ends(AtomicUsize);

impl handles::Watcher for Ends {
    fn dropped(&self, _: handles::Name, _: u64) {}

    fn receiver_ended(&self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn the_watchers_of_a_handle_learn_of_the_end_of_each_worker_that_had_it() {
    on_both(|transport| {
        let pool = pool(transport, 1);
        let (handle, other) = (nothing(), nothing());
        let (ends, others) = (Arc::new(Ends::default()), Arc::new(Ends::default()));
        let watcher = Arc::downgrade(&ends);
        handle.watch(watcher);
        let watcher = Arc::downgrade(&others);
        other.watch(watcher);
        for death in 1..=3 {
            let pid = pool.submit(|_: Handle| std::process::id(), handle.clone()).expect("submitted");
            kill(get(&pid).expect("a process"), libc::SIGKILL);
            wait_until("the watcher to learn of the end", || ends.0.load(SeqCst) == death);
        }
        assert_eq!(others.0.load(SeqCst), 0, "no worker had the other");
        let back = pool.submit(|handle: Handle| handle, handle.clone()).expect("submitted");
        get(&back).expect("it comes back");
        drop(pool);
        assert_eq!(ends.0.load(SeqCst), 4, "the end of a pool is an end of its workers");
    });
}
