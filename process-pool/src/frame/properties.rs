//! Properties of the codec of frames. `PROPTEST_CASES` sets how many cases are tried.

use proptest::{collection::vec, prelude::*};

use super::{
    replies::{LONG, PIECE, STEP, arrive},
    *,
};

fn kinds() -> impl Strategy<Value = RequestKind> {
    use RequestKind::*;
    prop::sample::select(vec![Initialize, Run, RunTimed, Retire, Stop, Adopt, Forget])
}

prop_compose! {
    fn requests()(
        kind in kinds(),
        (batch, attempt, name) in any::<(u32, u32, u32)>(),
        (sequence, task, body) in any::<(u64, u64, u64)>(),
        (offset, fingerprint) in any::<(i64, u64)>(),
    ) -> Request {
        Request { kind, batch, sequence, task, function: Address { offset, fingerprint }, attempt, name, body }
    }
}

fn replies() -> impl Strategy<Value = (Reply, Vec<u8>)> {
    use ReplyKind::*;
    let kinds = prop::sample::select(vec![Ready, NotReady, Outcome, Adopt, Lost]);
    let long = (LONG as usize - 2..3 * LONG as usize, any::<u8>());
    let long = long.prop_map(|(length, seed)| (0..length).map(|at| seed.wrapping_add(at as u8)).collect());
    let bodies = prop_oneof![20 => vec(any::<u8>(), 0..200), 1 => long];
    (kinds, any::<u64>(), bodies).prop_map(|(kind, sequence, bytes)| {
        let body = bytes.len() as u64;
        (Reply { kind, sequence, body }, bytes)
    })
}

/// Generates the lengths of the pieces in which a stream arrives.
fn pieces() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![3 => 1..300_usize, 1 => 1..2 * PIECE], 1..8)
}

/// Returns the replies of a stream that arrives in pieces of these lengths, repeated, and whether all of it was well
/// formed.
fn cut_all(stream: &[u8], pieces: &[usize]) -> (Vec<(Reply, Vec<u8>)>, bool) {
    let (mut reader, mut found, mut rest) = (Replies::default(), Vec::new(), stream);
    let mut pieces = pieces.iter().copied().cycle();
    while !rest.is_empty() {
        let length = pieces.next().unwrap_or(1).min(rest.len());
        let arrived = arrive(&mut reader, &rest[..length]);
        assert!(arrived > 0);
        rest = &rest[arrived..];
        loop {
            match reader.cut() {
                Ok(Some((reply, body))) => found.push((reply, body.to_vec())),
                Ok(None) => break,
                Err(ProtocolError) => return (found, false),
            }
        }
        let come = stream.len() - rest.len();
        assert!(reader.capacity() <= 3 * come + 2 * STEP);
    }
    (found, true)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_request_is_read_as_it_was_written(request in requests()) {
        let mut bytes = Vec::new();
        request.write(&mut bytes);
        prop_assert_eq!(bytes.len(), Request::SIZE);
        prop_assert_eq!(Request::read(bytes.first_chunk().expect("a head")), Some(request));
    }

    #[test]
    fn any_replies_are_returned_as_they_were_sent_in_any_pieces(
        sent in vec(replies(), 0..20),
        pieces in pieces(),
    ) {
        let mut stream = Vec::new();
        for (reply, body) in &sent {
            stream.extend_from_slice(&reply.to_bytes());
            stream.extend_from_slice(body);
        }
        prop_assert_eq!(cut_all(&stream, &pieces), (sent, true));
    }

    #[test]
    fn damaged_bytes_are_replies_or_an_error(
        sent in vec(replies(), 1..10),
        damage in vec(any::<(prop::sample::Index, u8)>(), 0..10),
        pieces in pieces(),
    ) {
        let frame = |(reply, body): &(Reply, Vec<u8>)| [&reply.to_bytes(), body.as_slice()].concat();
        let mut stream: Vec<u8> = sent.iter().flat_map(frame).collect();
        for (at, byte) in damage {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        let (found, _) = cut_all(&stream, &pieces);
        let length: usize = found.iter().map(|(_, body)| Reply::SIZE + body.len()).sum();
        prop_assert!(length <= stream.len());
    }
}
