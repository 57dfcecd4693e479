//! Finding the replies in the bytes that arrive, in pieces of any size.

use std::ops::Deref;

use executor_core::{
    codec::{Bytes, Words, handles::Name},
    function::batch,
};

use super::{Reply, ReplyKind};
use crate::{sys::memory, transport::descriptors};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Replies {
    /// The bytes that have arrived and have not been returned.
    arrived: Vec<u8>,
    /// Where the next reply begins.
    next: usize,
    /// The long body that is arriving, if there is one. Only its rest may arrive before it is returned.
    long: Option<Long>,
    /// The head of the outcomes that are arriving. Its `body` is the number of those that have not arrived.
    open: Option<Reply>,
    /// The maximum length of a body.
    longest: u64,
    /// The maximum size of one allocation of this program.
    addressable: u64,
}

/// A body that gets a vector of its own. The vector becomes the reply, so its bytes are not copied again.
#[derive(Debug)]
struct Long {
    reply: Reply,
    /// The length of the complete body.
    length: usize,
    /// The part that has arrived.
    body: Arriving,
    /// Whether the first part is still among the other bytes that have arrived. It stays there until it is known
    /// whether memory is lent, so that it is copied once.
    is_apart: bool,
    /// Whether [`begun`](Replies::begun) has yet to return it.
    is_new: bool,
}

/// The memory of a long body.
#[derive(Debug)]
enum Arriving {
    /// It grows as more arrives, because the announced length may be false.
    Vector(Vec<u8>),
    /// Memory of numbers, which was lent and has room for the complete body.
    Words(Words),
}

impl Deref for Arriving {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Arriving::Vector(body) => body,
            Arriving::Words(body) => body,
        }
    }
}

/// Where the next bytes must be put.
pub(crate) enum Space<'a> {
    /// At the end of this vector, and at most so many.
    Vector(&'a mut Vec<u8>, usize),
    /// Into this memory of a long body. [`advance`](Words::advance) must then be called.
    Words(&'a mut Words, usize),
}

/// The body of a reply, which is owned if it is long.
#[derive(Debug)]
pub(crate) enum Body<'a> {
    Borrowed(&'a [u8]),
    /// Complete records, and their number, so that they are not counted again.
    Records(&'a [u8], usize),
    Owned(Bytes),
}

impl Deref for Body<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Body::Borrowed(body) | Body::Records(body, _) => body,
            Body::Owned(body) => body,
        }
    }
}

impl From<Body<'_>> for Bytes {
    fn from(body: Body<'_>) -> Bytes {
        match body {
            Body::Borrowed(body) | Body::Records(body, _) => Bytes::from(body),
            Body::Owned(body) => body,
        }
    }
}

impl From<Vec<u8>> for Body<'_> {
    fn from(body: Vec<u8>) -> Self {
        Body::Owned(Bytes::from(body))
    }
}

/// The most bytes that one read takes when no long body is arriving: a round number, and what is added to it. At most
/// this much of a long body is copied twice.
pub(super) const PIECE: usize = (64 << 10) + 4096;

/// From this length on, a body that has not arrived completely gets a vector of its own.
pub(super) const LONG: u64 = 64 << 10;

/// The least memory for the next part of a long body, and the memory that is kept when no long body is arriving.
pub(super) const STEP: usize = 1 << 20;

/// The maximum size of one allocation. No body is longer.
const ADDRESSABLE: u64 = isize::MAX as u64;

/// A reply and its body.
pub(crate) type CompleteReply<'a> = (Reply, Body<'a>);

/// The error about bytes that no healthy worker sends.
#[derive(Debug)]
pub(crate) struct ProtocolError;

impl Default for Replies {
    fn default() -> Replies {
        Replies::up_to(u64::MAX)
    }
}

impl Replies {
    /// Accepts bodies up to this length, and up to the memory of this machine, because a worker has the whole reply in
    /// memory before it sends it. A longer body is an error as soon as it is announced.
    pub(crate) fn up_to(longest: u64) -> Replies {
        let longest = longest.min(memory::total());
        Replies { arrived: Vec::new(), next: 0, long: None, open: None, longest, addressable: ADDRESSABLE }
    }

    /// Converts the length of a body. It is an error if a worker may not send that much, or this program cannot hold
    /// it. On a 32-bit machine these limits differ.
    fn length(&self, announced: u64) -> Result<usize, ProtocolError> {
        let is_acceptable = announced <= self.longest.min(self.addressable);
        usize::try_from(announced).ok().filter(|_| is_acceptable).ok_or(ProtocolError)
    }

    /// Returns where the next bytes must be put, and how many of them may be put there.
    #[inline]
    pub(crate) fn space(&mut self) -> Space<'_> {
        if self.long.is_none() {
            return Space::Vector(&mut self.arrived, PIECE);
        }
        self.space_of_long()
    }

    fn space_of_long(&mut self) -> Space<'_> {
        self.join_long();
        let Some(Long { length, body, .. }) = &mut self.long else { return Space::Vector(&mut self.arrived, PIECE) };
        let missing = length.saturating_sub(body.len());
        let body = match body {
            Arriving::Vector(body) => body,
            Arriving::Words(body) => return Space::Words(body, missing),
        };
        if body.capacity() - body.len() < missing.min(PIECE) {
            // Grows by as much as has arrived, so that a large block is seldom moved.
            body.reserve_exact(missing.min(body.len().max(STEP)));
        }
        let free = body.capacity() - body.len();
        Space::Vector(body, missing.min(free))
    }

    /// Returns a long reply that has begun to arrive, once: its reader may have [memory](Replies::lend) for it.
    pub(crate) fn begun(&mut self) -> Option<Reply> {
        let long = self.long.as_mut()?;
        std::mem::take(&mut long.is_new).then_some(long.reply)
    }

    /// Receives the long reply that is arriving into this memory, whose contents are no longer needed.
    pub(crate) fn lend(&mut self, memory: Bytes) {
        let Some(long) = self.long.as_mut().filter(|long| long.is_apart) else { return };
        match memory.into_words() {
            Ok(mut words) => {
                // It is not enlarged because of an announced length, except for the byte that ends an outcome.
                if long.length <= words.capacity() + 1 {
                    words.clear();
                    words.grow_to(long.length);
                    long.body = Arriving::Words(words);
                }
            }
            Err(bytes) => {
                let mut memory = bytes.into_vec();
                memory.clear();
                long.body = Arriving::Vector(memory);
            }
        }
        self.join_long();
    }

    /// Copies the first part of a long body to the memory in which the rest will arrive.
    fn join_long(&mut self) {
        let Some(long) = self.long.as_mut().filter(|long| long.is_apart) else { return };
        long.is_apart = false;
        let first = &self.arrived[self.next..];
        match &mut long.body {
            Arriving::Vector(body) => body.extend_from_slice(first),
            Arriving::Words(body) => put(body, first),
        }
        self.next = self.arrived.len();
        self.compact();
    }

    /// Returns `true` if bytes have arrived that have not been returned.
    pub(crate) fn is_in_a_reply(&self) -> bool {
        !self.arrived.is_empty() || self.long.is_some()
    }

    /// Returns how much memory it holds.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn capacity(&self) -> usize {
        let of_body = |body: &Arriving| match body {
            Arriving::Vector(body) => body.capacity(),
            Arriving::Words(body) => body.capacity(),
        };
        self.arrived.capacity() + self.long.as_ref().map_or(0, |long| of_body(&long.body))
    }

    /// Returns the next reply that has arrived completely, with its body. For outcomes, these are the records that have
    /// arrived completely.
    pub(crate) fn cut(&mut self) -> Result<Option<CompleteReply<'_>>, ProtocolError> {
        let is_complete = |long: &mut Long| long.body.len() == long.length;
        if let Some(Long { reply, body, .. }) = self.long.take_if(is_complete) {
            let body = match body {
                Arriving::Vector(body) => Bytes::from(body),
                Arriving::Words(body) => Bytes::from(body),
            };
            return Ok(Some((reply, Body::Owned(body))));
        }
        if self.long.is_some() {
            return Ok(None);
        }
        if self.open.is_some() {
            return self.cut_records();
        }
        let Some((head, rest)) = self.arrived[self.next..].split_first_chunk() else {
            self.compact();
            return Ok(None);
        };
        let reply = Reply::read(head).ok_or(ProtocolError)?;
        let length = self.length(reply.body)?;
        if reply.kind == ReplyKind::Outcomes {
            if reply.body == 0 {
                // No batch is empty, and a reply without an outcome must not count as progress.
                return Err(ProtocolError);
            }
            self.next += Reply::SIZE;
            self.open = Some(reply);
            return self.cut_records();
        }
        if rest.len() < length {
            if reply.body >= LONG {
                self.next += Reply::SIZE;
                let body = Arriving::Vector(Vec::new());
                self.long = Some(Long { reply, length, body, is_apart: true, is_new: true });
            } else {
                self.compact();
            }
            return Ok(None);
        }
        let body = self.next + Reply::SIZE;
        self.next = body + length;
        Ok(Some((reply, Body::Borrowed(&self.arrived[body..self.next]))))
    }

    /// Returns the complete records of the outcomes that are arriving.
    fn cut_records(&mut self) -> Result<Option<CompleteReply<'_>>, ProtocolError> {
        let Some(reply) = &mut self.open else { return Ok(None) };
        let arrived = &self.arrived[self.next..];
        let mut records = batch::records(arrived);
        let left = reply.body;
        let count = records.by_ref().take(usize::try_from(left).unwrap_or(usize::MAX)).count();
        reply.body -= count as u64;
        let reply = Reply { body: left - reply.body, ..*reply };
        if reply.body == left {
            self.open = None;
        } else if let Some(length) = records.rest().first_chunk() {
            let length = u32::from_le_bytes(*length);
            if length == batch::NO_RECORD && reply.body == 0 {
                return self.cut_names(reply.sequence);
            }
            if length != batch::NO_RECORD {
                self.length(length.into())?;
            }
        }
        if reply.body == 0 && left > 0 {
            self.compact();
            return Ok(None);
        }
        let start = self.next;
        self.next += arrived.len() - records.rest().len();
        Ok(Some((reply, Body::Records(&self.arrived[start..self.next], count))))
    }

    /// Returns the names of handles that stand between two records.
    #[cold]
    fn cut_names(&mut self, sequence: u64) -> Result<Option<CompleteReply<'_>>, ProtocolError> {
        let Some((head, rest)) = self.arrived[self.next..].split_first_chunk::<8>() else {
            self.compact();
            return Ok(None);
        };
        let count = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        if count == 0 || count > descriptors::MOST {
            return Err(ProtocolError);
        }
        let length = count * size_of::<Name>();
        if rest.len() < length {
            self.compact();
            return Ok(None);
        }
        let start = self.next + head.len();
        self.next = start + length;
        let reply = Reply { kind: ReplyKind::Adopt, sequence, body: length as u64 };
        Ok(Some((reply, Body::Borrowed(&self.arrived[start..self.next]))))
    }

    /// Removes the bytes that were returned.
    fn compact(&mut self) {
        self.arrived.drain(..self.next);
        self.next = 0;
        // A buffer that has grown is not kept forever.
        if self.arrived.is_empty() && self.arrived.capacity() > STEP {
            self.arrived = Vec::new();
        }
    }
}

/// Puts bytes at the end of the words, which have room for them.
fn put(words: &mut Words, bytes: &[u8]) {
    words.room()[..bytes.len()].copy_from_slice(bytes);
    words.advance(bytes.len());
}

/// Puts as many of these bytes where they must be put as may be put there, and returns how many that is.
#[cfg(test)]
pub(super) fn arrive(replies: &mut Replies, bytes: &[u8]) -> usize {
    match replies.space() {
        Space::Vector(into, most) => {
            let count = most.min(bytes.len());
            into.extend_from_slice(&bytes[..count]);
            count
        }
        Space::Words(into, most) => {
            let count = most.min(bytes.len());
            put(into, &bytes[..count]);
            count
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{adopt_in_batch, write_names};

    #[test]
    fn replies_are_returned_whatever_pieces_they_arrive_in() {
        let mut stream = Vec::new();
        for (sequence, body) in [(1, "one"), (2, ""), (3, "three")] {
            let reply = Reply { kind: ReplyKind::Outcome, sequence, body: body.len() as u64 };
            stream.extend_from_slice(&reply.to_bytes());
            stream.extend_from_slice(body.as_bytes());
        }
        for piece in [1, 5, 24, 100] {
            let (mut replies, mut found) = (Replies::default(), Vec::new());
            for bytes in stream.chunks(piece) {
                arrive(&mut replies, bytes);
                while let Some((reply, body)) = replies.cut().expect("well formed") {
                    found.push((reply.sequence, String::from_utf8_lossy(&body).into_owned()));
                }
            }
            assert_eq!(found, [(1, "one".into()), (2, String::new()), (3, "three".into())]);
        }
    }

    #[test]
    fn a_long_body_is_returned_in_the_vector_that_it_was_received_in() {
        let body = vec![7; 3 * LONG as usize];
        let mut stream = Reply { kind: ReplyKind::Outcome, sequence: 1, body: body.len() as u64 }.to_bytes().to_vec();
        stream.extend_from_slice(&body);
        let (mut replies, mut rest) = (Replies::default(), stream.as_slice());
        let cut = loop {
            rest = &rest[arrive(&mut replies, rest)..];
            if let Some((_, cut)) = replies.cut().expect("well formed") {
                break cut;
            }
        };
        assert!(matches!(&cut, Body::Owned(bytes) if **bytes == *body && bytes.capacity() == body.len()));
        assert!(!replies.is_in_a_reply());
    }

    #[test]
    fn a_long_body_is_received_into_memory_that_was_lent_for_it() {
        let head = Reply { kind: ReplyKind::Outcome, sequence: 9, body: 2 * LONG };
        let mut replies = Replies::default();
        assert!(replies.begun().is_none());
        arrive(&mut replies, &[&head.to_bytes()[..], &[1; 100]].concat());
        assert!(replies.cut().expect("well formed").is_none());
        assert_eq!(replies.begun(), Some(head));
        assert!(replies.begun().is_none(), "it is asked for once");
        let memory = vec![9; 2 * LONG as usize];
        let address = memory.as_ptr();
        replies.lend(memory.into());
        assert_eq!(arrive(&mut replies, &vec![1; 3 * LONG as usize]), 2 * LONG as usize - 100);
        let (_, body) = replies.cut().expect("well formed").expect("as a whole");
        assert!(body.as_ptr() == address && body.iter().all(|byte| *byte == 1));
    }

    #[test]
    fn a_long_body_is_received_into_memory_of_numbers_if_that_is_large_enough() {
        for (lent, is_used) in [(2 * LONG as usize, true), (2 * LONG as usize - 2, false)] {
            let head = Reply { kind: ReplyKind::Outcome, sequence: 9, body: 2 * LONG };
            let mut replies = Replies::default();
            arrive(&mut replies, &[&head.to_bytes()[..], &[1; 100]].concat());
            assert!(replies.cut().expect("well formed").is_none());
            let mut memory = Words::with_room(2, lent).expect("words");
            memory.advance(lent);
            replies.lend(memory.into());
            while replies.is_in_a_reply() {
                arrive(&mut replies, &[1; 2 * LONG as usize]);
                if let Some((_, Body::Owned(body))) = replies.cut().expect("well formed") {
                    assert!(body.len() == 2 * LONG as usize && body.iter().all(|byte| *byte == 1));
                    assert_eq!(body.into_words().is_ok(), is_used);
                }
            }
        }
    }

    #[test]
    fn the_memory_for_a_long_body_grows_with_what_arrives() {
        let announced = Reply { kind: ReplyKind::Outcome, sequence: 1, body: 1 << 30 };
        let mut replies = Replies::default();
        arrive(&mut replies, &announced.to_bytes());
        let mut come = 0;
        while come < 10 << 20 {
            assert!(replies.cut().expect("well formed").is_none() && replies.is_in_a_reply());
            come += arrive(&mut replies, &[1; 2 * STEP]);
            assert!(replies.capacity() <= 2 * come + 2 * STEP);
        }
    }

    #[test]
    fn outcomes_of_a_batch_are_returned_as_they_arrive() {
        let texts = ["one", "", "three", "four"];
        let mut stream = Reply { kind: ReplyKind::Outcomes, sequence: 7, body: 4 }.to_bytes().to_vec();
        texts.iter().for_each(|text| batch::write_record(&mut stream, |into| into.extend_from_slice(text.as_bytes())));
        stream.extend_from_slice(&Reply { kind: ReplyKind::Outcome, sequence: 8, body: 0 }.to_bytes());
        for piece in [1, 5, 24, 31, 100] {
            let (mut replies, mut found, mut behind) = (Replies::default(), Vec::new(), 0);
            for bytes in stream.chunks(piece) {
                arrive(&mut replies, bytes);
                while let Some((reply, body)) = replies.cut().expect("well formed") {
                    match reply.kind {
                        ReplyKind::Outcomes => {
                            assert_eq!((reply.sequence, reply.body), (7, batch::records(&body).count() as u64));
                            found.extend(
                                batch::records(&body).map(|record| String::from_utf8_lossy(record).into_owned()),
                            );
                        }
                        _ => behind = reply.sequence,
                    }
                }
            }
            assert_eq!((found, behind), (texts.map(String::from).to_vec(), 8), "pieces of {piece}");
            assert!(!replies.is_in_a_reply());
        }
    }

    #[test]
    fn names_of_handles_are_returned_before_the_record_that_they_stand_before() {
        let names = [[1; 12], [2; 12]];
        let mut stream = Reply { kind: ReplyKind::Outcomes, sequence: 7, body: 2 }.to_bytes().to_vec();
        batch::write_record(&mut stream, |into| into.extend_from_slice(b"plain"));
        stream.extend_from_slice(&adopt_in_batch(2));
        write_names(names, &mut stream);
        batch::write_record(&mut stream, |into| into.extend_from_slice(b"with two"));
        stream.extend_from_slice(&Reply { kind: ReplyKind::Adopt, sequence: 8, body: 12 }.to_bytes());
        write_names([[3; 12]], &mut stream);
        let expected = [
            (ReplyKind::Outcomes, 7, b"\x05\0\0\0plain".to_vec()),
            (ReplyKind::Adopt, 7, names.concat()),
            (ReplyKind::Outcomes, 7, b"\x08\0\0\0with two".to_vec()),
            (ReplyKind::Adopt, 8, vec![3; 12]),
        ];
        for piece in [1, 3, 8, 12, 13, 25, 100, 1000] {
            let (mut replies, mut found) = (Replies::default(), Vec::new());
            for bytes in stream.chunks(piece) {
                arrive(&mut replies, bytes);
                while let Some((reply, body)) = replies.cut().expect("well formed") {
                    found.push((reply.kind, reply.sequence, body.to_vec()));
                }
            }
            assert_eq!(found, expected, "pieces of {piece}");
            assert!(!replies.is_in_a_reply());
        }
    }

    #[test]
    fn an_impossible_number_of_names_in_a_batch_is_an_error_before_they_arrive() {
        let cut = |count: usize| {
            let mut replies = Replies::default();
            let head = Reply { kind: ReplyKind::Outcomes, sequence: 1, body: 2 }.to_bytes();
            arrive(&mut replies, &[&head[..], &adopt_in_batch(count)].concat());
            replies.cut().map(|_| ())
        };
        assert!(cut(1).is_ok() && cut(descriptors::MOST).is_ok());
        assert!(cut(0).is_err() && cut(descriptors::MOST + 1).is_err() && cut(u32::MAX as usize).is_err());
    }

    #[test]
    fn an_outcome_that_is_too_long_is_an_error_before_it_arrives() {
        let cut = |length: u32| {
            let mut replies = Replies::up_to(100);
            let head = Reply { kind: ReplyKind::Outcomes, sequence: 1, body: 2 };
            arrive(&mut replies, &head.to_bytes());
            arrive(&mut replies, &length.to_le_bytes());
            replies.cut().map(|_| ())
        };
        assert!(cut(100).is_ok() && cut(101).is_err());
    }

    #[test]
    fn a_body_that_this_program_cannot_hold_is_an_error_before_it_arrives() {
        // As on a 32-bit machine with more memory than one program can have.
        let addressable = i32::MAX as u64;
        for kind in [ReplyKind::Outcome, ReplyKind::NotReady, ReplyKind::Outcomes] {
            for (body, is_acceptable) in [(addressable, true), (addressable + 1, false), (1 << 32, false)] {
                let head = Reply { kind, sequence: 1, body }.to_bytes();
                let mut replies = Replies { longest: u64::MAX, addressable, ..Replies::default() };
                arrive(&mut replies, &head);
                assert_eq!(replies.cut().is_ok(), is_acceptable, "{kind:?} of {body}");
                assert!(!is_acceptable || arrive(&mut replies, &[0]) > 0);
            }
        }
        let mut replies = Replies { longest: u64::MAX, addressable: 1000, ..Replies::default() };
        let head = Reply { kind: ReplyKind::Outcomes, sequence: 1, body: 2 };
        arrive(&mut replies, &[&head.to_bytes()[..], &1001_u32.to_le_bytes()].concat());
        assert!(replies.cut().is_err(), "of one item of a batch");
        assert!(Replies::default().addressable <= usize::MAX as u64 / 2);
    }

    #[test]
    fn a_kind_that_does_not_exist_is_an_error() {
        let mut replies = Replies { arrived: vec![9; 30], ..Replies::default() };
        assert!(replies.cut().is_err());
    }

    #[test]
    fn a_body_that_is_too_long_is_an_error_before_it_arrives() {
        let announce = |body| Reply { kind: ReplyKind::Outcome, sequence: 1, body }.to_bytes().to_vec();
        let cut = |limit, body| Replies { arrived: announce(body), ..Replies::up_to(limit) }.cut().map(|_| ());
        assert!(cut(100, 100).is_ok() && cut(100, 101).is_err());
        assert!(cut(u64::MAX, 512 << 20).is_ok() && cut(u64::MAX, 1 << 60).is_err());
    }
}
