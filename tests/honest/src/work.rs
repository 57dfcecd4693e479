//! The kinds of work.

use std::{
    backtrace::Backtrace,
    collections::HashMap,
    io::{Read as _, Write as _},
    sync::mpsc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use concurrent_futures::{Executor, MapOptions, ProcessPoolExecutor};
use serde::{Deserialize, Serialize};

use crate::outcome::{Outcome, of_error, of_failure, of_success};

/// A kind of work.
pub struct Work {
    pub name: &'static str,
    pub run: fn(&ProcessPoolExecutor) -> Outcome,
}

/// Makes the list, of tasks that succeed with a text and other work.
macro_rules! works {
    ($($name:literal => $task:expr,)* ; $($other:literal => $run:expr,)*) => {
        pub const ALL: &[Work] = &[
            $(Work { name: $name, run: |pool| of_success(pool, |(): ()| $task.to_string(), ()) },)*
            $(Work { name: $other, run: $run },)*
        ];
    };
}

works! {
    "a vector of 1 GiB" => vec![1_u8; 1 << 30].iter().step_by(4096).map(|byte| u64::from(*byte)).sum::<u64>(),
    "eight named threads" => named_threads(),
    "400 threads" => many_threads(),
    "rayon" => rayon(),
    "random numbers of a hash map" => (0..1000).map(|n| (n, n)).collect::<HashMap<u32, u32>>().len(),
    "sleep" => slept(),
    "clocks" => Instant::now().elapsed() < Duration::from_secs(60) && SystemTime::now() > SystemTime::UNIX_EPOCH,
    "serde_json" => json(),
    "regex" => regex::Regex::new(r"(\w+)@(\w+)\.\w+").expect("valid").replace_all("a@b.c d@e.f", "$2 $1"),
    "flate2" => flate(),
    "png" => png(),
    "tokio, one thread" => tokio(&mut tokio::runtime::Builder::new_current_thread()),
    "tokio, several threads" => tokio(tokio::runtime::Builder::new_multi_thread().worker_threads(2)),
    "the standard streams" => streams(),
    "standard input" => { let mut text = String::new(); std::io::stdin().read_to_string(&mut text).is_ok() && text.is_empty() },
    "available parallelism" => thread::available_parallelism().expect("known"),
    "allocations from threads" => allocations(),
    "a large reallocation" => reallocation(),
    "environment" => std::env::var_os("HOME").is_none_or(|home| !home.is_empty()),
    "current directory" => std::env::current_dir().is_ok(),
    "process id and name" => std::process::id() > 0 && std::env::args_os().count() == 1,
    "panic caught" => std::panic::catch_unwind(|| panic!("caught here")).is_err(),
    "channels" => channels(),
    "memory that the program gives back" => given_back(),
    ;
    "panic" => |pool| of_failure(pool, |()| panic!("honest panic"), "honest panic (at src/work.rs"),
    "abort" => |pool| of_failure(pool, |()| std::process::abort(), "signal # (SIGABRT)"),
    "segfault" => |pool| of_failure(pool, |()| crash(), "a bad memory access"),
    "stack overflow" => |pool| of_failure(pool, |()| deep(0).to_string(), "a stack overflow"),
    "exit" => |pool| of_failure(pool, |()| std::process::exit(3), "exited with code #"),
    "names in a backtrace" => names_in_a_backtrace,
    "echo of 64 MiB" => |pool| of_success(pool, |bytes: Vec<u8>| sum(&bytes), vec![7; 64 << 20]),
    "map of 10 000" => map,
    "terminate" => terminate,
    "time zone files" => time_zone_files,
    "lua" => lua,
    "an executable mapping" => executable_mapping,
}

fn named_threads() -> String {
    let threads = (0..8).map(|n| {
        let thread = thread::Builder::new().name(format!("worker {n}"));
        thread.spawn(|| thread::current().name().map(str::to_string)).expect("a thread can be started")
    });
    let threads: Vec<_> = threads.collect();
    threads.into_iter().filter_map(|thread| thread.join().expect("it ends")).collect::<Vec<String>>().join(" ")
}

fn many_threads() -> usize {
    let (send, receive) = mpsc::channel::<()>();
    let receive = std::sync::Arc::new(std::sync::Mutex::new(receive));
    let threads: Vec<_> = (0..400)
        .map(|_| {
            let receive = receive.clone();
            let thread = thread::Builder::new().stack_size(256 << 10);
            thread.spawn(move || drop(receive.lock().map(|receive| receive.recv()))).expect("a thread can be started")
        })
        .collect();
    drop(send);
    threads.into_iter().map(|thread| thread.join().expect("it ends")).count()
}

fn rayon() -> u64 {
    use rayon::prelude::*;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("it is built");
    pool.install(|| (0..100_000_u64).into_par_iter().map(|n| n * n).sum())
}

fn slept() -> bool {
    let start = Instant::now();
    thread::sleep(Duration::from_millis(5));
    start.elapsed() >= Duration::from_millis(5)
}

#[derive(Serialize, Deserialize)]
struct Page {
    title: String,
    lines: Vec<f64>,
}

fn json() -> String {
    let page = Page { title: "äöü".into(), lines: vec![1.5, 2.0] };
    let text = serde_json::to_string(&page).expect("it can be written");
    let read: Page = serde_json::from_str(&text).expect("it can be read");
    format!("{} {}", read.title, read.lines.len())
}

fn flate() -> usize {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(&[b'x'; 100_000]).expect("it can be written");
    let packed = encoder.finish().expect("it can be finished");
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut text).expect("it can be read");
    text.len()
}

fn png() -> String {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 64, 64);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().expect("valid");
    writer.write_image_data(&[99; 64 * 64 * 3]).expect("valid");
    writer.finish().expect("valid");
    let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().expect("valid");
    let mut pixels = vec![0; reader.output_buffer_size().expect("small")];
    let info = reader.next_frame(&mut pixels).expect("valid");
    format!("{}x{} {}", info.width, info.height, pixels.iter().filter(|byte| **byte == 99).count())
}

fn tokio(builder: &mut tokio::runtime::Builder) -> String {
    let runtime = builder.enable_all().build().expect("a runtime can be built");
    runtime.block_on(async {
        let (send, receive) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(2)).await;
            let _ = send.send(20);
        });
        let blocking = tokio::task::spawn_blocking(|| 22).await.expect("it ends");
        let (mut one, mut other) = tokio::net::UnixStream::pair().expect("a pair");
        tokio::io::AsyncWriteExt::write_all(&mut one, b"pair").await.expect("written");
        let mut text = [0; 4];
        tokio::io::AsyncReadExt::read_exact(&mut other, &mut text).await.expect("read");
        format!("{} {}", receive.await.expect("sent") + blocking, String::from_utf8_lossy(&text))
    })
}

fn streams() -> bool {
    println!("an honest line");
    eprintln!("an honest line of the standard error");
    std::io::stdout().flush().is_ok() && std::io::stderr().flush().is_ok()
}

fn allocations() -> usize {
    let fill = |seed: usize| {
        let mut kept: Vec<Vec<u8>> = Vec::new();
        for n in 0..2000 {
            kept.push(vec![seed as u8; (n * 7919 + seed) % 40_000]);
            if n % 3 == 0 {
                kept.swap_remove((n * 31) % kept.len());
            }
        }
        kept.iter().map(Vec::len).sum::<usize>()
    };
    let threads: Vec<_> = (0..8).map(|seed| thread::spawn(move || fill(seed))).collect();
    let total = threads.into_iter().map(|thread| thread.join().expect("it ends")).sum();
    // SAFETY: it only gives memory back.
    #[cfg(all(target_env = "gnu", not(any(feature = "mimalloc", feature = "jemalloc"))))]
    unsafe {
        libc::malloc_trim(0)
    };
    total
}

fn reallocation() -> usize {
    let mut bytes = Vec::with_capacity(1);
    for n in 0..200 {
        bytes.resize(n * 500_000, 1_u8);
    }
    bytes.shrink_to(1000);
    bytes.len()
}

fn channels() -> u64 {
    let (send, receive) = mpsc::sync_channel(4);
    let thread = thread::spawn(move || (0..1000).for_each(|n| send.send(n).expect("it is received")));
    let sum = receive.iter().sum();
    thread.join().expect("it ends");
    sum
}

fn given_back() -> bool {
    const LENGTH: usize = 1 << 24;
    // SAFETY: the mapping is this function's own, and is used within its bounds.
    unsafe {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let private = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let memory = libc::mmap(std::ptr::null_mut(), LENGTH, access, private, -1, 0);
        memory.cast::<u8>().write(1);
        let advised = [libc::MADV_DONTNEED, libc::MADV_FREE, libc::MADV_HUGEPAGE, libc::MADV_NOHUGEPAGE]
            .iter()
            // Kernels without huge pages do not know the last two.
            .all(|advice| libc::madvise(memory, LENGTH, *advice) == 0 || *libc::__errno_location() == libc::EINVAL);
        let protected = libc::mprotect(memory, LENGTH, libc::PROT_NONE) == 0;
        advised && protected && libc::munmap(memory, LENGTH) == 0
    }
}

/// What a just-in-time compiler does.
fn executable_mapping(pool: &ProcessPoolExecutor) -> Outcome {
    let mapped = |()| {
        // SAFETY: nothing is at the address but the new mapping, which is not used.
        unsafe {
            let access = libc::PROT_READ | libc::PROT_EXEC;
            let private = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let memory = libc::mmap(std::ptr::null_mut(), 4096, access, private, -1, 0);
            (memory != libc::MAP_FAILED && libc::munmap(memory, 4096) == 0).to_string()
        }
    };
    let mut outcome = of_success(pool, mapped, ());
    outcome.exceptions = vec![("no new code", "false".to_string())];
    outcome
}

fn crash() -> String {
    // SAFETY: none, on purpose: this is the crash.
    unsafe { std::ptr::null::<u8>().wrapping_add(8).read_volatile().to_string() }
}

#[allow(unconditional_recursion)]
fn deep(n: u64) -> u64 {
    std::hint::black_box([n; 64]).iter().sum::<u64>() + deep(n + 1)
}

fn sum(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>().to_string()
}

fn names_in_a_backtrace(pool: &ProcessPoolExecutor) -> Outcome {
    let traced = |()| Backtrace::force_capture().to_string().contains("names_in_a_backtrace").to_string();
    let mut outcome = of_success(pool, traced, ());
    // The debug information cannot be read in a sandbox, unless `symbols` has read it before.
    let without = ["error", "kill", "explain", "parse", "no new code", "best effort"];
    outcome.exceptions = without.map(|mode| (mode, "false".to_string())).to_vec();
    outcome
}

fn map(pool: &ProcessPoolExecutor) -> Outcome {
    let options = MapOptions::new();
    let sum = pool.map_with(options, |n: u64| n + 1, 0..10_000_u64).and_then(|results| results.sum::<Result<u64, _>>());
    match sum {
        Ok(sum) => Outcome { is_expected: sum == 50_005_000, text: sum.to_string(), exceptions: Vec::new() },
        Err(error) => Outcome { is_expected: false, text: error.to_string(), exceptions: Vec::new() },
    }
}

fn terminate(pool: &ProcessPoolExecutor) -> Outcome {
    let endless = |()| -> String {
        loop {
            thread::sleep(Duration::from_millis(1));
        }
    };
    let stopped = pool.submit(endless, ()).map(|future| {
        while !future.running() {
            thread::yield_now();
        }
        future.terminate(Duration::ZERO);
        future.result(Duration::from_secs(60))
    });
    match stopped {
        Ok(Err(error)) => of_error(&error, "was stopped on request"),
        other => Outcome { is_expected: false, text: format!("{other:?}"), exceptions: Vec::new() },
    }
}

fn time_zone_files(pool: &ProcessPoolExecutor) -> Outcome {
    let read = |()| std::fs::read("/usr/share/zoneinfo/UTC").is_ok().to_string();
    let mut outcome = of_success(pool, read, ());
    let refused = ["error", "kill", "explain", "no new code", "symbols", "best effort"];
    outcome.exceptions = refused.map(|mode| (mode, "false".to_string())).to_vec();
    outcome
}

#[cfg(feature = "lua")]
fn lua(pool: &ProcessPoolExecutor) -> Outcome {
    let run = |code: String| {
        let lua = mlua::Lua::new();
        lua.load(code).eval::<String>().unwrap_or_else(|error| error.to_string())
    };
    let code = "local sum = 0; for n = 1, 1000 do sum = sum + n end; \
                local co = coroutine.wrap(function() coroutine.yield(7) end); \
                return string.format('%d %d %s %s', sum, co(), os.date('!%Y', 0), tostring(os.time() > 0))";
    of_success(pool, run, code.to_string())
}

#[cfg(not(feature = "lua"))]
fn lua(_: &ProcessPoolExecutor) -> Outcome {
    Outcome { is_expected: true, text: "left out".into(), exceptions: Vec::new() }
}
