//! The code segment for 32 bits, which is there in each process.

use std::ptr::null_mut;

use super::super::{Attempt, Got, Reply, errno};
use crate::system_call;

pub const ATTEMPTS: &[Attempt] = &[
    Attempt { name: "code of 32 bits by a far return", run: |_| far_return(), reply: Reply::Dies },
    Attempt { name: "code of 32 bits by a forged signal frame", run: |_| forged_frame(), reply: Reply::Dies },
];

/// Where the parts of the page are.
const TARGET: usize = 0x100;
const BACK: usize = 0x140;
const RESULT: usize = 0x808;
const STACK: usize = 0x800;
const RESUME: usize = 0x810;

/// Returns a page below 4 GiB that can be written and run.
fn low_page() -> Result<usize, i32> {
    let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT;
    let at = system_call!(libc::SYS_mmap, null_mut::<u8>(), 4096, protection, flags, -1, 0_i64)?;
    Ok(at as usize)
}

fn put(page: usize, offset: usize, code: &[u8]) {
    let to = std::ptr::with_exposed_provenance_mut::<u8>(page + offset);
    // SAFETY: the page is 4096 bytes long, and the parts end before that.
    unsafe { to.copy_from_nonoverlapping(code.as_ptr(), code.len()) };
}

fn word(page: usize, offset: usize) -> *mut u64 {
    std::ptr::with_exposed_provenance_mut(page + offset)
}

/// Writes code of 32 bits that asks for the process by `int 0x80`, and goes to `BACK` as code of 64 bits.
fn put_target(page: usize) {
    let back = (page + BACK) as u32;
    // mov eax, 20; int 0x80; jmp 0x33:back
    let mut code = vec![0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xea];
    code.extend(back.to_le_bytes());
    code.extend([0x33, 0]);
    put(page, TARGET, &code);
}

fn result(page: usize) -> Got {
    // SAFETY: a word of the page.
    let result = unsafe { word(page, RESULT).read_volatile() } as i32;
    if result > 0 { Ok(result.to_string()) } else { Err(-result) }
}

fn far_return() -> Got {
    let page = low_page()?;
    put_target(page);
    // push rbx, rbp, r12 to r15; mov [rdi + STACK], rsp; lea rsp, [rdi + 0xff0]
    let mut enter = vec![0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57];
    enter.extend([0x48, 0x89, 0xa7, 0, 8, 0, 0, 0x48, 0x8d, 0xa7, 0xf0, 0x0f, 0, 0]);
    // push 0x23; lea rax, [rdi + TARGET]; push rax; retfq
    enter.extend([0x6a, 0x23, 0x48, 0x8d, 0x87, 0, 1, 0, 0, 0x50, 0x48, 0xcb]);
    put(page, 0, &enter);
    // mov edi, page; mov [rdi + RESULT], rax; mov rsp, [rdi + STACK]; pop r15 to r12, rbp, rbx; ret
    let mut back = vec![0xbf];
    back.extend((page as u32).to_le_bytes());
    back.extend([0x48, 0x89, 0x87, 8, 8, 0, 0, 0x48, 0x8b, 0xa7, 0, 8, 0, 0]);
    back.extend([0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3]);
    put(page, BACK, &back);
    // SAFETY: the code keeps the registers that functions keep, and returns on the stack on which it was called.
    unsafe {
        let enter: extern "sysv64" fn(usize) = std::mem::transmute(std::ptr::with_exposed_provenance::<u8>(page));
        enter(page);
    }
    result(page)
}

/// The page of the forged frame.
static PAGE: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

/// Lets the interrupted code go on in the segment for 32 bits.
extern "C" fn forge(_: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let page = PAGE.load(std::sync::atomic::Ordering::Relaxed);
    // SAFETY: the kernel hands over the context, and the word is one of the page.
    unsafe {
        let registers = &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs;
        word(page, RESUME).write_volatile(registers[libc::REG_RIP as usize] as u64);
        word(page, STACK).write_volatile(registers[libc::REG_RSP as usize] as u64);
        registers[libc::REG_RIP as usize] = (page + TARGET) as i64;
        registers[libc::REG_RSP as usize] = (page + 0xff0) as i64;
        let selectors = registers[libc::REG_CSGSFS as usize];
        registers[libc::REG_CSGSFS as usize] = selectors & !0xffff | 0x23;
    }
}

fn forged_frame() -> Got {
    let page = low_page()?;
    put_target(page);
    // mov [page + RESULT], rax by rcx; mov rsp, [page + STACK]; xor eax, eax; jmp [page + RESUME]
    let mut back = vec![0xb9];
    back.extend((page as u32).to_le_bytes());
    back.extend([0x48, 0x89, 0x81, 8, 8, 0, 0, 0x48, 0x8b, 0xa1, 0, 8, 0, 0, 0x31, 0xc0, 0xff, 0xa1, 0x10, 8, 0, 0]);
    put(page, BACK, &back);
    PAGE.store(page, std::sync::atomic::Ordering::Relaxed);
    // SAFETY: the handler changes only the context, and the code behind it goes back to where the signal came.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = (forge as extern "C" fn(_, _, _)) as usize;
        action.sa_flags = libc::SA_SIGINFO;
        let mut before = std::mem::zeroed();
        if libc::sigaction(libc::SIGUSR1, &raw const action, &raw mut before) != 0 {
            return Err(errno());
        }
        libc::raise(libc::SIGUSR1);
        libc::sigaction(libc::SIGUSR1, &raw const before, std::ptr::null_mut());
    }
    result(page)
}
