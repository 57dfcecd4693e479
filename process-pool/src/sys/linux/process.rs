//! Descriptors of processes, which name a process for as long as they are open, and settings of this process.
#![allow(unsafe_code)]

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd as _, AsRawFd as _, OwnedFd},
    process::Child,
    ptr::null,
};

use rustix::{
    io::Errno,
    process::{
        Pid, PidfdFlags, Resource, Signal, WaitId, getpid, getppid, kill_process, pidfd_open, pidfd_send_signal,
    },
};

/// The resource that a memory limit counts: private writable memory, which is what a task allocates.
pub(crate) const LIMITED_MEMORY: Resource = Resource::Data;

/// The limit on core dumps that turns them off. With a limit of 0, Linux still runs a program that collects dumps, and
/// writes the whole memory to it. With a limit of 1 it does not, and no file is that small.
pub(crate) const NO_CORE_DUMP: u64 = 1;

/// Opens a descriptor of a child, which becomes ready to read when the process ends. Returns `None` on an old kernel,
/// or if the process is gone and something else has reaped it.
pub(crate) fn open_child(child: &Child) -> io::Result<Option<OwnedFd>> {
    match pidfd_open(Pid::from_child(child), PidfdFlags::empty()) {
        Ok(descriptor) => Ok(Some(descriptor)),
        Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM)) => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// Returns the parent of this process, and a descriptor of it if the system has such descriptors. Returns `None` if the
/// parent cannot be seen, as in a process namespace of its own.
pub(crate) fn open_parent() -> Option<(u32, Option<OwnedFd>)> {
    let parent = getppid()?;
    Some((parent.as_raw_nonzero().get().unsigned_abs(), pidfd_open(parent, PidfdFlags::empty()).ok()))
}

/// Returns how to wait for a process: by descriptor if there is one, by number otherwise.
pub(crate) fn wait_id(descriptor: Option<&OwnedFd>, pid: Pid) -> WaitId<'_> {
    descriptor.map_or(WaitId::Pid(pid), |descriptor| WaitId::PidFd(descriptor.as_fd()))
}

/// Sends a signal to a process: by descriptor if there is one, by number otherwise.
pub(crate) fn signal(descriptor: Option<&OwnedFd>, pid: Pid, signal: Signal) -> Result<(), Errno> {
    match descriptor {
        Some(descriptor) => pidfd_send_signal(descriptor, signal),
        None => kill_process(pid, signal),
    }
}

/// Sends a signal to the group whose leader this process is, or was. Returns `false` if the system cannot do that, as
/// before Linux 6.9.
pub(crate) fn signal_group(leader: &OwnedFd, signal: Signal) -> bool {
    const PROCESS_GROUP: libc::c_uint = 1 << 2;
    let no_details = null::<libc::siginfo_t>();
    // SAFETY: the descriptor is open, and no details of the signal are passed.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, leader.as_raw_fd(), signal.as_raw(), no_details, PROCESS_GROUP)
    };
    // An empty group is no failure.
    result == 0 || Errno::from_io_error(&io::Error::last_os_error()) == Some(Errno::SRCH)
}

/// Returns the status, as `wait` encodes it, of a process that has ended and that something else has reaped. Returns
/// `None` if the system does not tell, as before Linux 6.15.
pub(crate) fn status_after_reaping(process: &OwnedFd) -> Option<i32> {
    /// The first version of the kernel's `struct pidfd_info`.
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        /// What is wanted, and then what is there.
        mask: u64,
        control_group: u64,
        ids: [u32; 11],
        status: i32,
    }
    const GET_INFO: rustix::ioctl::Opcode = rustix::ioctl::opcode::read_write::<Info>(0xff, 11);
    const EXIT: u64 = 1 << 3;
    let mut info = Info { mask: EXIT, ..Info::default() };
    // SAFETY: the request writes at most as many bytes as its number says, which is the size of `Info`.
    let result = unsafe { libc::ioctl(process.as_raw_fd(), GET_INFO as _, &raw mut info) };
    (result == 0 && info.mask & EXIT != 0).then_some(info.status)
}

/// Makes this process the parent of descendants whose own parent ends.
pub(crate) fn adopt_orphans() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(getpid()))?)
}

/// Sets the name of the calling thread, which is that of the process for its main thread.
pub(crate) fn set_name(name: &CStr) {
    let _ = rustix::thread::set_name(name);
}

/// Returns the signal with the highest number.
pub(crate) fn last_signal() -> libc::c_int {
    libc::SIGRTMAX()
}

/// Returns the lowest address that the stack of the main thread, which must be the caller, can have.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn stack_end() -> Option<usize> {
    // Other C libraries than glibc report the part that is mapped so far. The kernel counts the limit from the top of
    // the stack, where it has put the path of the program.
    let limit = rustix::process::getrlimit(Resource::Stack).current?;
    // SAFETY: it only reads what the kernel has told this process at its start.
    let top = unsafe { libc::getauxval(libc::AT_EXECFN) } as usize;
    top.checked_sub(usize::try_from(limit).ok()?)
}

/// Returns the lowest address of the calling thread's stack.
#[cfg(target_env = "gnu")]
pub(crate) fn stack_end() -> Option<usize> {
    use std::{mem::MaybeUninit, ptr::null_mut};
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: it initialises the attributes if it returns 0.
    if unsafe { libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    let (mut start, mut size) = (null_mut(), 0);
    // SAFETY: the attributes are initialised, and the results are written to variables of their types.
    let result = unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &mut start, &mut size) };
    // SAFETY: initialised above, and not used again.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    (result == 0).then(|| start.addr())
}
