//! Attacks of a task on the link of its worker. The task finds the shared memory among its mappings and the socket
//! among its descriptors.
#![allow(unsafe_code)]

use std::{
    fs,
    io::IoSlice,
    mem::MaybeUninit,
    os::fd::BorrowedFd,
    sync::{
        OnceLock,
        atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering::*},
    },
    thread,
    time::Duration,
};

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

use crate::support::Random;

/// Returns a random number. Those that are likely to overflow are more frequent than others.
pub fn wild(random: &mut Random) -> u64 {
    let word = random.next();
    match word % 8 {
        0 => 0,
        1 => u64::MAX,
        2 => 1 << 63,
        3 => word >> 40,
        4 => u64::MAX - (word >> 56),
        _ => word,
    }
}

/// The offsets of `transport/ring/layout.rs`.
pub const INDICES: [usize; 4] = [0, 128, 256, 384];
const TO_PARENT_TAIL: usize = 256;
const TO_PARENT_HEAD: usize = 384;
const WORKER_SLEEPS: usize = 512;
const PARENT_SLEEPS: usize = 640;
const WANTS_ROOM: usize = 768;
pub const FLAGS: [usize; 3] = [WORKER_SLEEPS, PARENT_SLEEPS, WANTS_ROOM];
pub const NOTES: [usize; 3] = [896, 904, 912];
pub const CLAIMS: usize = 1024;
pub const SLOTS: usize = 1024;
pub const DATA: usize = 3 * 4096;
const CAPACITY: usize = 256 * 1024;

/// The link of this worker, if it was found before the worker was locked in a sandbox, in which it cannot be found.
static KNOWN: OnceLock<Target> = OnceLock::new();

/// The link of this worker.
#[derive(Clone)]
pub struct Target {
    start: usize,
    pub length: usize,
    socket: Option<i32>,
    channel: Option<i32>,
}

impl Target {
    /// Finds the link.
    pub fn find() -> Target {
        if let Some(known) = KNOWN.get() {
            return known.clone();
        }
        let maps = fs::read_to_string("/proc/self/maps").expect("a list of mappings");
        let ring = maps.lines().find(|line| line.contains("memfd:concurrent-futures"));
        let (start, length) = ring.map_or((0, 0), |line| {
            let (start, rest) = line.split_once('-').expect("a range");
            let (end, _) = rest.split_once(' ').expect("a range");
            let [start, end] = [start, end].map(|text| usize::from_str_radix(text, 16).expect("an address"));
            (start, end - start)
        });
        let descriptors = fs::read_dir("/proc/self/fd").expect("a list of descriptors").flatten();
        let mut sockets: Vec<i32> = descriptors
            .filter(|entry| fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().starts_with("socket:")))
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        // The worker receives the channel for descriptors through the socket.
        sockets.sort_unstable();
        Target { start, length, socket: sockets.first().copied(), channel: sockets.get(1).copied() }
    }

    /// Lets `find` return this one from now on.
    pub fn remember(target: Target) {
        let _ = KNOWN.set(target);
    }

    pub fn start(&self) -> usize {
        self.start
    }

    pub fn has_ring(&self) -> bool {
        self.length > 0
    }

    fn at<T>(&self, offset: usize) -> *mut T {
        assert!(offset + size_of::<T>() <= self.length);
        std::ptr::with_exposed_provenance_mut(self.start + offset)
    }

    pub fn word(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: inside the mapping, which stays, and aligned. What the other side does with it is what is tested.
        unsafe { AtomicU64::from_ptr(self.at(offset)) }
    }

    pub fn half_word(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: as in `word`.
        unsafe { AtomicU32::from_ptr(self.at(offset)) }
    }

    fn byte(&self, offset: usize) -> &AtomicU8 {
        // SAFETY: as in `word`.
        unsafe { AtomicU8::from_ptr(self.at(offset)) }
    }

    /// Overwrites a part of the memory with random words.
    pub fn scribble(&self, random: &mut Random, from: usize, to: usize) {
        for offset in (from..to).step_by(8) {
            self.word(offset).store(wild(random), Relaxed);
        }
    }

    /// Returns the number of the running task, from its claim.
    pub fn own_sequence(&self) -> u64 {
        let claims = (0..SLOTS).map(|slot| self.word(CLAIMS + 8 * slot).load(Acquire));
        claims.filter(|claim| claim & 15 == 1).map(|claim| claim >> 24).max().unwrap_or(1)
    }

    /// Sends bytes through the socket. Returns `false` if the other end is closed.
    pub fn send(&self, bytes: &[u8]) -> bool {
        self.socket.iter().all(|socket| {
            // SAFETY: the bytes are there.
            let sent = unsafe { libc::send(*socket, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
            sent >= 0
        })
    }

    /// Sends a message with this many descriptors and some bytes through the channel. Returns `false` if the channel is
    /// full or closed.
    pub fn send_descriptors(&self, count: usize, bytes: &[u8]) -> bool {
        let Some(channel) = self.channel else { return false };
        // SAFETY: no one closes the channel of a worker that runs.
        let channel = unsafe { BorrowedFd::borrow_raw(channel) };
        let descriptors = vec![channel; count];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(200))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if count > 0 {
            ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        rustix::net::sendmsg(channel, &[IoSlice::new(bytes)], &mut ancillary, flags).is_ok()
    }

    /// Writes bytes to the ring to the parent, as the worker does. Returns how many bytes the parent has read before it
    /// stopped reading.
    pub fn write_to_ring(&self, bytes: impl Iterator<Item = u8>) -> u64 {
        let (tail, head) = (self.word(TO_PARENT_TAIL), self.word(TO_PARENT_HEAD));
        let mut at = tail.load(Acquire);
        for byte in bytes {
            while at.wrapping_sub(head.load(Acquire)) >= CAPACITY as u64 {
                tail.store(at, Release);
                self.ring();
                thread::yield_now();
            }
            self.byte(DATA + CAPACITY + at as usize % CAPACITY).store(byte, Relaxed);
            at += 1;
            if at % 4096 == 0 {
                tail.store(at, Release);
            }
        }
        tail.store(at, Release);
        self.ring();
        at
    }

    fn ring(&self) {
        self.half_word(PARENT_SLEEPS).store(0, Relaxed);
        self.send(&[1]);
    }

    /// Writes bytes to where the parent reads replies, on either transport.
    pub fn write_reply(&self, bytes: &[u8]) {
        if self.has_ring() {
            self.write_to_ring(bytes.iter().copied());
        } else {
            self.send(bytes);
        }
    }
}

/// Builds a frame, which may be invalid.
pub fn frame(kind: u32, sequence: u64, length: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&kind.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// Returns the time on the clock with which a worker notes the start of a task.
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: there is space for the result.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    // Both have 32 bits on some systems.
    let [seconds, rest] = [u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec)].map(|part| part.expect("a time"));
    seconds * 1_000_000_000 + rest
}

/// Waits until the pool ends this process.
pub fn wait_for_the_end() -> ! {
    loop {
        thread::park_timeout(Duration::from_secs(1));
    }
}

/// The number of attacks.
pub const ATTACKS: u32 = 28;

/// Makes one of the attacks.
pub fn attack(which: u32, random: &mut Random) {
    let target = Target::find();
    const OUTCOME: u32 = 3;
    const ADOPT: u32 = 5;
    const LOST: u32 = 6;
    if !target.has_ring() && which < 12 {
        return;
    }
    let own = if target.has_ring() { target.own_sequence() } else { 1 };
    match which {
        0 => INDICES.iter().for_each(|index| target.word(*index).store(wild(random), Release)),
        1 => target.word(INDICES[random.index(4)]).store(wild(random), Release),
        2 => {
            let index = target.word(INDICES[random.index(4)]);
            index.fetch_add([1, u64::MAX, CAPACITY as u64, CAPACITY as u64 + 1][random.index(4)], AcqRel);
        }
        3 => FLAGS.iter().for_each(|flag| target.half_word(*flag).store(wild(random) as u32, Relaxed)),
        4 => FLAGS.iter().for_each(|flag| target.half_word(*flag).store(0, Relaxed)),
        5 => NOTES.iter().for_each(|note| target.word(*note).store(wild(random), Relaxed)),
        6 => NOTES.iter().for_each(|note| target.word(*note).store(0, Relaxed)),
        7 => target.scribble(random, CLAIMS, CLAIMS + 8 * SLOTS),
        8 => {
            // Any state for every task of the worker.
            for slot in 0..SLOTS {
                let claim = target.word(CLAIMS + 8 * slot);
                let word = claim.load(Acquire);
                claim.store(word & !15 | (random.next() % 6), Release);
            }
        }
        9 => target.word(CLAIMS + 8 * (own as usize % SLOTS)).store(own << 24 | (random.next() % 16), Release),
        10 => target.scribble(random, DATA, target.length),
        11 => target.scribble(random, 0, target.length),
        12 => target.write_reply(&frame(wild(random) as u32, wild(random), wild(random), &[])),
        13 => target.write_reply(&frame(OUTCOME, own, u64::MAX, b"x")),
        14 => target.write_reply(&frame(OUTCOME, wild(random), 5, b"\0hell")),
        15 => (0..3).for_each(|_| target.write_reply(&frame(OUTCOME, own, 2, &[0, 7]))),
        16 => (own..own + 200).for_each(|neighbour| target.write_reply(&frame(OUTCOME, neighbour, 2, &[0, 7]))),
        17 => target.write_reply(&frame(1, 0, 0, &[]).repeat(3000)),
        18 => target.write_reply(&frame(2, 0, 4, &[255; 4])),
        19 => target.write_reply(&(0..5000).map(|_| random.next() as u8).collect::<Vec<u8>>()),
        20 => {
            // Doorbells, which are invalid frames where the socket is the link.
            (0..2000).all(|_| target.send(&[1]));
        }
        // Descriptors that were not announced.
        21 => {
            let _ = (0..20).all(|_| target.send_descriptors(random.index(100), &[0; 3]));
        }
        // Announced descriptors that do not come, or come in another number.
        22 => target.write_reply(&frame(ADOPT, own, 12, &[7; 12])),
        23 => {
            let (sent, announced) = (1 + random.index(100), random.index(100));
            target.send_descriptors(sent, &[0]);
            target.write_reply(&frame(ADOPT, own, announced as u64 * 12, &vec![7; announced * 12]));
        }
        // As many as it can send, for one task.
        24 => {
            for name in 0..100_u8 {
                target.send_descriptors(64, &[0]);
                let names: Vec<u8> = (0..64_u8).flat_map(|at| [name, at, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]).collect();
                target.write_reply(&frame(ADOPT, own, names.len() as u64, &names));
            }
        }
        25 => target.write_reply(&frame(LOST, 0, 12, &[7; 12]).repeat(1000)),
        26 => {
            target.send_descriptors(1, &[0]);
            target.write_reply(&frame(ADOPT, wild(random), random.next() % 50, &[7; 12]));
        }
        _ => {
            // An invalid error with invalid lengths.
            let body: Vec<u8> = [1].into_iter().chain((0..40).map(|_| wild(random) as u8)).collect();
            target.write_reply(&frame(OUTCOME, own, body.len() as u64, &body));
        }
    }
}
