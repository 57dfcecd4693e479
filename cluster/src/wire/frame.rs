//! Frames: many records from one peer to another.

use super::{
    Malformed, Peer, VERSION,
    reader::Reader,
    record::{Record, sealed::Fields},
};

/// The length at which [`pack`] begins another frame, in bytes. A frame is longer only if its one record is.
pub const FRAME: usize = 256 * 1024;

/// Writes records into as few frames as they need. The order of the records is kept.
///
/// ```
/// use cluster::wire::{Peer, ToClient, pack, unpack};
/// let agent = Peer::new("worker", "k3XyZ")?;
/// let frames = pack(&agent, &[ToClient::Alive, ToClient::Alive]);
/// assert_eq!(frames.len(), 1);
/// assert_eq!(unpack(&frames[0])?, (agent, vec![ToClient::Alive, ToClient::Alive]));
/// # Ok::<(), cluster::wire::Malformed>(())
/// ```
pub fn pack<R: Record>(sender: &Peer, records: &[R]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut frame = head::<R>(sender);
    let empty = frame.len();
    for record in records {
        let before = frame.len();
        record.write(&mut frame);
        if frame.len() > FRAME && before > empty {
            let mut next = head::<R>(sender);
            next.extend_from_slice(&frame[before..]);
            frame.truncate(before);
            frames.push(std::mem::replace(&mut frame, next));
        }
    }
    if frame.len() > empty {
        frames.push(frame);
    }
    frames
}

/// Appends the records of a frame to another one, if both are from one sender in one direction and the frame does not
/// get too long. Returns whether it has.
pub(crate) fn join(frame: &mut Vec<u8>, next: &[u8]) -> bool {
    let head = frame.get(2).map_or(0, |sender| 3 + *sender as usize);
    let may = head > 0
        && frame.len() + next.len() <= FRAME
        && next.get(..head).is_some_and(|other| Some(other) == frame.get(..head));
    if may {
        frame.extend_from_slice(&next[head..]);
    }
    may
}

fn head<R: Record>(sender: &Peer) -> Vec<u8> {
    let sender = sender.as_bytes();
    // A name is at most 129 bytes long.
    let mut frame = vec![VERSION, R::DIRECTION, sender.len() as u8];
    frame.extend_from_slice(sender);
    frame
}

/// Reads a frame: who sent it, as it says itself, and its records.
///
/// A transport that learns the sender from the engine must compare, and drop a frame that names another one.
///
/// # Errors
///
/// If any byte is not as it should be. Then no record counts.
pub fn unpack<R: Record>(frame: &[u8]) -> Result<(Peer, Vec<R>), Malformed> {
    let mut reader = Reader::new(frame);
    match reader.u8()? {
        VERSION => {}
        version => return Err(Malformed::Version(version)),
    }
    match reader.u8()? {
        direction if direction == R::DIRECTION => {}
        direction => return Err(Malformed::Direction(direction)),
    }
    let length = reader.u8()? as usize;
    let sender = Peer::parse(reader.bytes(length)?)?;
    let mut fields = Fields(reader);
    let mut records = Vec::new();
    while !fields.0.is_empty() {
        records.push(R::read(&mut fields)?);
    }
    Ok((sender, records))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use executor_core::TaskId;
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::wire::{Ask, FRAME_OVERHEAD, LONGEST_MESSAGE, Returned, ToAgent, ToClient};

    fn asks() -> impl Strategy<Value = Ask> {
        any::<(u64, u64)>().prop_map(|(task, number)| Ask { task: TaskId::from_u64(task), number })
    }

    fn to_client() -> impl Strategy<Value = ToClient> {
        let outcomes = (asks(), any::<bool>(), vec(any::<u8>(), 0..40))
            .prop_map(|(ask, died, outcome)| ToClient::Outcome { ask, died, outcome: outcome.into() });
        let returned = prop::sample::select(vec![Returned::NotStarted, Returned::Lost]);
        prop_oneof![
            asks().prop_map(ToClient::Ask),
            outcomes,
            (asks(), returned).prop_map(|(ask, why)| ToClient::Returned(ask, why)),
            Just(ToClient::Alive),
        ]
    }

    fn to_agent() -> impl Strategy<Value = ToAgent> {
        let grace = prop::option::of(any::<u64>().prop_map(Duration::from_millis));
        prop_oneof![
            (asks(), 1..u32::MAX).prop_map(|(ask, attempt)| ToAgent::Grant { ask, attempt }),
            asks().prop_map(ToAgent::Deny),
            Just(ToAgent::Ping),
            asks().prop_map(ToAgent::Received),
            (asks(), grace).prop_map(|(ask, grace)| ToAgent::Stop(ask, grace)),
        ]
    }

    fn peer() -> Peer {
        Peer::new("user", "process").expect("a name")
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn records_arrive_as_they_were_sent(to_client in vec(to_client(), 1..20), to_agent in vec(to_agent(), 1..20)) {
            let [frame] = &pack(&peer(), &to_client)[..] else { panic!("one frame") };
            prop_assert_eq!(unpack::<ToClient>(frame), Ok((peer(), to_client)));
            prop_assert!(matches!(unpack::<ToAgent>(frame), Err(Malformed::Direction(_))));
            let [frame] = &pack(&peer(), &to_agent)[..] else { panic!("one frame") };
            prop_assert_eq!(unpack::<ToAgent>(frame), Ok((peer(), to_agent)));
        }

        #[test]
        fn a_frame_that_is_cut_short_has_fewer_records_or_is_refused(records in vec(to_client(), 1..6), at in any::<u16>()) {
            let frame = pack(&peer(), &records).remove(0);
            let at = at as usize % frame.len();
            match unpack::<ToClient>(&frame[..at]) {
                Ok((_, fewer)) => prop_assert!(fewer.len() < records.len() && records.starts_with(&fewer)),
                Err(reason) => prop_assert!(matches!(reason, Malformed::CutShort)),
            }
        }

        #[test]
        fn any_bytes_are_a_frame_or_refused(mut bytes in vec(any::<u8>(), 0..200), has_head in any::<bool>()) {
            if has_head {
                bytes.splice(..0, head::<ToClient>(&peer()));
            }
            if let Ok((sender, records)) = unpack::<ToClient>(&bytes) {
                // What is accepted has no second form.
                prop_assert_eq!(pack(&sender, &records).concat(), if records.is_empty() { vec![] } else { bytes });
            }
        }
    }

    #[test]
    fn many_records_are_divided_among_frames_and_a_long_one_has_its_own() {
        let ask = Ask { task: TaskId::from_u64(1), number: 2 };
        let long = ToClient::Outcome { ask, died: false, outcome: vec![7; LONGEST_MESSAGE - FRAME_OVERHEAD].into() };
        let records: Vec<ToClient> =
            std::iter::repeat_n(ToClient::Ask(ask), 20_000).chain([long.clone(), long, ToClient::Alive]).collect();
        let frames = pack(&peer(), &records);
        assert_eq!(frames.len(), 5);
        assert!(frames.iter().all(|frame| frame.len() <= LONGEST_MESSAGE));
        let arrived: Vec<ToClient> = frames.iter().flat_map(|frame| unpack(frame).expect("a frame").1).collect();
        assert!(arrived == records);
    }

    #[test]
    fn frames_of_one_sender_are_joined_until_they_are_long() {
        let frame = |sender: &Peer, records: &[ToClient]| pack(sender, records).remove(0);
        let ask = |number| ToClient::Ask(Ask { task: TaskId::from_u64(1), number });
        let mut joined = frame(&peer(), &[ask(1), ToClient::Alive]);
        assert!(join(&mut joined, &frame(&peer(), &[ask(2)])));
        assert_eq!(unpack(&joined), Ok((peer(), vec![ask(1), ToClient::Alive, ask(2)])));
        let other = Peer::new("user", "other").expect("a name");
        assert!(!join(&mut joined, &frame(&other, &[ask(3)])));
        assert!(!join(&mut joined, &pack(&peer(), &[ToAgent::Ping]).remove(0)));
        assert!(!join(&mut joined, &[1]) && !join(&mut Vec::new(), &joined));
        let many: Vec<ToClient> = (0..FRAME as u64 / 17 - 2).map(ask).collect();
        assert!(!join(&mut joined, &frame(&peer(), &many)));
        assert_eq!(unpack(&joined), Ok((peer(), vec![ask(1), ToClient::Alive, ask(2)])));
    }

    #[test]
    fn a_frame_of_another_version_or_with_additional_bytes_is_refused() {
        let mut frame = pack(&peer(), &[ToAgent::Ping]).remove(0);
        frame.push(99);
        assert_eq!(unpack::<ToAgent>(&frame), Err(Malformed::Tag(99)));
        frame[0] = 200;
        assert_eq!(unpack::<ToAgent>(&frame), Err(Malformed::Version(200)));
        let error = executor_core::Error::from(Malformed::Version(200));
        assert!(error.to_string().contains("version 200"), "{error}");
        let ask = Ask { task: TaskId::from_u64(1), number: 2 };
        let frame = pack(&peer(), &[ToAgent::Grant { ask, attempt: 0 }]).remove(0);
        assert_eq!(unpack::<ToAgent>(&frame), Err(Malformed::Field("attempt")));
    }
}
