//! Attempts to run new code in a sandbox with `no_new_code`.

use std::{
    fs::{self, File},
    io::{Seek as _, SeekFrom, Write as _},
    os::fd::AsRawFd as _,
    ptr::null_mut,
};

use super::{
    Got, from_io, got,
    grants::{Row, Tree},
};
use crate::system_call;

pub const ROWS: &[Row] = &[
    ("write, then run", |_| {
        let page = map(WRITE, -1, PRIVATE)?;
        fill(page);
        system_call!(libc::SYS_mprotect, page, 4096, RUN)?;
        run(page)
    }),
    ("write, then run only", |_| {
        let page = map(WRITE, -1, PRIVATE)?;
        fill(page);
        system_call!(libc::SYS_mprotect, page, 4096, libc::PROT_EXEC)?;
        run(page)
    }),
    ("write and run", |_| {
        let page = map(WRITE | RUN, -1, PRIVATE)?;
        fill(page);
        run(page)
    }),
    ("write and run with bit 32", |_| {
        let protection = 1_i64 << 32 | i64::from(WRITE | RUN);
        let page = system_call!(libc::SYS_mmap, null_mut::<u8>(), 4096, protection, PRIVATE, -1, 0_i64)?;
        fill(page);
        run(page)
    }),
    ("write and run without access", |_| {
        let page = map(libc::PROT_NONE, -1, PRIVATE)?;
        system_call!(libc::SYS_mprotect, page, 4096, WRITE)?;
        fill(page);
        system_call!(libc::SYS_mprotect, page, 4096, RUN)?;
        run(page)
    }),
    ("pkey_mprotect", |_| {
        let page = map(WRITE, -1, PRIVATE)?;
        fill(page);
        system_call!(libc::SYS_pkey_mprotect, page, 4096, RUN, -1)?;
        run(page)
    }),
    ("a stack that grows and runs", |_| {
        let page = map(WRITE, -1, PRIVATE | libc::MAP_GROWSDOWN)?;
        fill(page);
        system_call!(libc::SYS_mprotect, page, 4096, RUN | libc::PROT_GROWSDOWN)?;
        run(page)
    }),
    ("change the program's own code", |_| {
        let page = (own_code as fn() as usize) & !4095;
        system_call!(libc::SYS_mprotect, page, 4096, WRITE | RUN)?;
        got(system_call!(libc::SYS_mprotect, page, 4096, RUN))
    }),
    ("a file that it has written", |tree| {
        let file = written(tree)?;
        run(map(RUN, file.as_raw_fd(), libc::MAP_PRIVATE)?)
    }),
    ("a file that it has written, shared", |tree| {
        let file = written(tree)?;
        run(map(RUN, file.as_raw_fd(), libc::MAP_SHARED)?)
    }),
    ("a file that it writes after it was mapped", |tree| {
        let mut file = written(tree)?;
        file.set_len(4096).map_err(|error| error.raw_os_error().unwrap_or(-1))?;
        let page = map(libc::PROT_READ, file.as_raw_fd(), libc::MAP_SHARED)?;
        system_call!(libc::SYS_mprotect, page, 4096, RUN)?;
        file.seek(SeekFrom::Start(0)).and_then(|_| file.write_all(CODE)).map_err(|_| libc::EIO)?;
        run(page)
    }),
    ("memory that is executable because it is readable", |_| {
        const READ_IMPLIES_EXEC: i64 = 0x0040_0000;
        let before = system_call!(libc::SYS_personality, 0xffff_ffff_i64)?;
        system_call!(libc::SYS_personality, before | READ_IMPLIES_EXEC)?;
        let page = map(WRITE, -1, PRIVATE)?;
        fill(page);
        let result = run(page);
        let _ = system_call!(libc::SYS_personality, before);
        result
    }),
    ("a shared segment that runs", |_| {
        const SHM_EXEC: i32 = 0o100_000;
        let id = system_call!(libc::SYS_shmget, libc::IPC_PRIVATE, 4096, 0o700)?;
        let page = system_call!(libc::SYS_shmat, id, 0, SHM_EXEC);
        let _ = system_call!(libc::SYS_shmctl, id, libc::IPC_RMID, 0);
        let page = page?;
        fill(page);
        run(page)
    }),
    ("its code by the file of its memory", |_| from_io(fs::OpenOptions::new().write(true).open("/proc/self/mem"))),
];

const PRIVATE: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
const WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;
const RUN: i32 = libc::PROT_READ | libc::PROT_EXEC;

/// A function that returns 42.
#[cfg(target_arch = "x86_64")]
const CODE: &[u8] = &[0xb8, 42, 0, 0, 0, 0xc3];
#[cfg(target_arch = "aarch64")]
const CODE: &[u8] = &[0x40, 0x05, 0x80, 0x52, 0xc0, 0x03, 0x5f, 0xd6];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const CODE: &[u8] = &[];

fn own_code() {}

fn map(protection: i32, file: i32, flags: i32) -> Result<i64, i32> {
    system_call!(libc::SYS_mmap, null_mut::<u8>(), 4096, protection, flags, file, 0_i64)
}

fn fill(page: i64) {
    let to = std::ptr::with_exposed_provenance_mut::<u8>(page as usize);
    // SAFETY: the page can be written.
    unsafe { to.copy_from_nonoverlapping(CODE.as_ptr(), CODE.len()) };
}

/// Runs the code of a page.
fn run(page: i64) -> Got {
    if CODE.is_empty() {
        return Err(libc::ENOSYS);
    }
    let code = std::ptr::with_exposed_provenance::<u8>(page as usize);
    // SAFETY: the page has the code of a function without arguments.
    let function: extern "C" fn() -> i32 = unsafe { std::mem::transmute(code) };
    Ok(function().to_string())
}

/// Writes a file with code where it may.
fn written(tree: &Tree) -> Result<File, i32> {
    let path = tree.root.join("b/code");
    let open = || fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
    let file = open().and_then(|mut file| file.write_all(CODE).map(|()| file));
    file.map_err(|error| error.raw_os_error().unwrap_or(-1))
}
