use std::{
    fs::File,
    io::{Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize, Serializer};

use super::*;
use crate::{ErrorKind, codec};

fn handle() -> Handle {
    let (_, writer) = UnixStream::pair().expect("a pair");
    Handle::new(writer.into())
}

/// Encodes a value as a back-end does.
fn encode<T: crate::Payload>(value: &T) -> (Vec<u8>, Handles) {
    let mut bytes = Vec::new();
    let (encoded, handles) = collect(|| codec::encode(value, &mut bytes));
    encoded.expect("it can be encoded");
    (bytes, handles)
}

#[test]
fn a_handle_is_found_by_the_name_that_was_encoded() {
    let (mut reader, writer) = UnixStream::pair().expect("a pair");
    let handle = Handle::new(writer.into());
    let (bytes, handles) = encode(&("left".to_string(), handle.clone(), 7u8));
    assert_eq!(handles.iter().collect::<Vec<_>>(), [&handle]);
    drop(handle);
    let (_, arrived, _) = codec::decode::<(String, Handle, u8)>(&bytes).expect("its handle lives");
    drop(handles);
    let file = arrived.as_fd().try_clone_to_owned().expect("a descriptor");
    drop(arrived);
    File::from(file).write_all(b"text").expect("written");
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("read");
    assert_eq!(text, "text");
}

#[test]
fn a_name_whose_handle_is_gone_is_a_decode_error() {
    let (bytes, handles) = encode(&handle());
    drop(handles);
    let error = codec::decode::<Handle>(&bytes).expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.to_string().contains("the descriptor of a handle did not arrive with its name"), "{error}");
}

#[test]
fn encoding_where_nothing_collects_is_an_error_that_says_where_a_handle_may_go() {
    let error = codec::encode(&handle(), &mut Vec::new()).expect_err("nothing collects");
    assert_eq!(error.kind(), ErrorKind::Encode);
    let says = "memory of this machine: it goes to tasks, processes, queues and pipes of this program";
    assert!(error.to_string().contains(says), "{error}");
    let error = serde_json::to_string(&handle()).expect_err("nothing collects");
    assert!(error.to_string().contains(says), "{error}");
}

#[test]
fn each_handle_is_collected_once_and_ordinary_values_have_none() {
    let (one, other) = (handle(), handle());
    let (_, handles) = encode(&vec![one.clone(), other.clone(), one.clone(), one.clone()]);
    assert_eq!(handles.len(), 2);
    assert!(handles.iter().any(|found| *found == one) && handles.iter().any(|found| *found == other));
    let (_, handles) = encode(&(1u8, "text".to_string()));
    assert!(handles.is_empty());
    assert_eq!(size_of::<Handles>(), size_of::<usize>());
}

#[test]
fn handles_that_are_attached_together_stay_one_set_unless_others_join_them() {
    let (one, other) = (handle(), handle());
    let set: Handles = [one.clone(), other].into_iter().collect();
    let ((), alone) = collect(|| attach_all(&set).expect("it collects"));
    assert!(alone.has_id(&set.id()) && set.clone().has_id(&alone.id()));
    let ((), joined) = collect(|| {
        attach(&one).expect("it collects");
        attach_all(&set).expect("it collects");
    });
    assert!(joined.len() == 2 && !joined.has_id(&set.id()) && !joined.has_id(&Handles::NONE.id()));
    assert!(!Handles::NONE.has_id(&Handles::NONE.id()));
    assert_eq!(attach_all(&set), Err(NotHere));
}

#[test]
fn an_error_resets_the_collector() {
    #[derive(Deserialize)]
    struct Fails(Handle);
    impl Serialize for Fails {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            attach(&self.0).map_err(ser::Error::custom)?;
            Err(ser::Error::custom("it does"))
        }
    }
    let value = Fails(handle());
    let (failed, handles) = collect(|| codec::encode(&value, &mut Vec::new()));
    assert!(failed.is_err() && handles.len() == 1);
    assert_eq!(attach(&value.0), Err(NotHere));
    assert!(encode(&7u8).1.is_empty());
}

#[test]
fn a_panic_resets_the_collector_and_drops_what_it_has() {
    let handle = handle();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        collect(|| {
            attach(&handle).expect("it collects");
            panic!("it does");
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(Arc::strong_count(&handle.0), 1);
    assert_eq!(attach(&handle), Err(NotHere));
    assert!(encode(&7u8).1.is_empty());
}

#[test]
fn nested_values_are_collected_apart() {
    let (outer, inner, last) = (handle(), handle(), handle());
    let ((), handles) = collect(|| {
        attach(&outer).expect("it collects");
        let ((), handles) = collect(|| attach(&inner).expect("it collects"));
        assert_eq!(Vec::from_iter(&handles), [&inner]);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            collect(|| {
                attach(&inner).expect("it collects");
                panic!("it does");
            })
        }));
        assert!(panicked.is_err());
        assert!(collect(|| ()).1.is_empty());
        attach(&last).expect("the outer one still collects");
    });
    assert_eq!(handles.len(), 2);
    assert!(!handles.iter().any(|handle| *handle == inner));
    assert_eq!(Arc::strong_count(&inner.0), 1);
}

#[test]
fn an_adopted_handle_lives_until_it_is_forgotten() {
    let handle = handle();
    let (name, alive) = (handle.name(), Arc::downgrade(&handle.0));
    adopt(handle);
    let found = find(name).expect("it is kept");
    forget(name);
    forget(name);
    assert!(find(name).is_some(), "a value still has it");
    drop(found);
    assert!(find(name).is_none() && alive.upgrade().is_none());
}

#[test]
fn a_handle_that_is_received_again_is_the_one_that_lives() {
    let first = handle();
    let (mut reader, writer) = UnixStream::pair().expect("a pair");
    let again = Handle::received(first.name(), writer.into());
    assert_eq!(again.instance(), first.instance());
    assert_eq!(reader.read(&mut [0]).expect("read"), 0, "the second descriptor was closed");
    let name = first.name();
    drop((first, again));
    assert!(find(name).is_none());
    let later = Handle::received(name, OwnedFd::from(UnixStream::pair().expect("a pair").1));
    assert!(find(name).is_some_and(|found| found.instance() == later.instance()));
}

#[test]
fn a_watcher_is_told_once_when_the_last_clone_is_dropped() {
    #[derive(Default)]
    struct Dropped(Mutex<Vec<(Name, u64)>>);
    impl Watcher for Dropped {
        fn dropped(&self, name: Name, instance: u64) {
            assert!(find(name).is_none(), "it is gone, and the table can be read");
            self.0.lock().push((name, instance));
        }
    }
    let (watcher, handle) = (Arc::new(Dropped::default()), handle());
    let identity = (handle.name(), handle.instance());
    for _ in 0..3 {
        let watcher: Arc<dyn Watcher> = watcher.clone();
        handle.watch(Arc::downgrade(&watcher));
    }
    let clone = handle.clone();
    drop(handle);
    assert!(watcher.0.lock().is_empty());
    drop(clone);
    assert_eq!(*watcher.0.lock(), [identity]);
}

#[test]
fn names_differ_and_cannot_be_derived_from_each_other() {
    let names: Vec<Name> = (0..100).map(|_| table::fresh_name()).collect();
    let starts: std::collections::HashSet<&[u8]> = names.iter().map(|name| &name[..8]).collect();
    assert_eq!(starts.len(), names.len());
}

#[test]
fn a_name_whose_descriptor_could_not_be_received_says_which_limit_to_raise() {
    let (bytes, handles) = encode(&handle());
    let name = handles.iter().next().expect("it has a handle").name();
    drop(handles);
    lose(name);
    let error = codec::decode::<Handle>(&bytes).expect_err("it was lost");
    assert!(error.to_string().contains("raise the limit of descriptors"), "{error}");
    forget(name);
    assert_eq!(resolve(name).expect_err("it is gone"), Missing::NotSent);
    lose(name);
    adopt(Handle::received(name, OwnedFd::from(UnixStream::pair().expect("a pair").1)));
    resolve(name).expect("it was received after all");
    forget(name);
    assert_eq!(resolve(name).expect_err("it is gone"), Missing::NotSent);
}

#[test]
fn handles_of_results_are_taken_by_a_back_end_that_can_carry_them() {
    fn call(reply: &mut Vec<u8>) -> Result<Handle, crate::Error> {
        let entry = crate::function::entry_of(|(): ()| handle());
        let mut argument = Vec::new();
        codec::encode(&(), &mut argument)?;
        entry.call(&argument, reply);
        crate::function::outcome::read(reply)
    }
    std::thread::spawn(|| {
        let refused = call(&mut Vec::new()).expect_err("nothing carries it");
        assert_eq!(refused.kind(), ErrorKind::Encode);
        assert!(take_results().is_empty());
        carry_results();
        let mut reply = Vec::new();
        let result = call(&mut reply).expect("its handle is kept");
        let handles = take_results();
        assert_eq!(Vec::from_iter(&handles), [&result]);
        assert!(take_results().is_empty());
        crate::function::entry_of(|n: u8| (n, "text".to_string())).call(&[7], &mut Vec::new());
        assert!(take_results().is_empty());
    })
    .join()
    .expect("it does not panic");
}

#[test]
fn what_was_made_of_an_adopted_handle_is_kept_until_the_handle_is_forgotten() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in the drop of a value that was kept");
        }
    }
    let handle = handle();
    let (name, made) = (handle.name(), Arc::new(7));
    assert!(!keep(name, made.clone()), "it is not adopted");
    adopt(handle.clone());
    assert!(keep(name, made.clone()) && keep(name, Arc::new(Bomb)));
    assert_eq!(Arc::strong_count(&made), 2);
    forget(name);
    assert_eq!(Arc::strong_count(&made), 1);
    adopt(handle.clone());
    assert!(keep(name, made.clone()));
    adopt(handle);
    assert_eq!(Arc::strong_count(&made), 1, "another descriptor of the name has come");
    forget(name);
}
