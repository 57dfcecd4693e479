//! Where objects can go, and what a wrong one is.

use executor_core::{
    ErrorKind::{Decode, Encode, InvalidArgument},
    codec::{self, handles},
};
use process_sync::{Array, Barrier, Event, Lock, RLock, Semaphore, Value};

#[test]
fn an_object_that_goes_where_its_memory_cannot_is_an_error() {
    let lock = Lock::new().unwrap();
    let json = serde_json::to_string(&lock).unwrap_err();
    assert_eq!(
        json.to_string(),
        "it is a descriptor or memory of this machine: it goes to tasks, processes, queues and pipes of this program"
    );
    let mut bytes = Vec::new();
    assert_eq!(codec::encode(&lock, &mut bytes).unwrap_err().kind(), Encode);
    assert!(serde_json::from_str::<Lock>("[[1],[2]]").is_err());
}

#[test]
fn a_handle_of_another_type_is_refused() {
    let value = Value::new(1_u64).unwrap();
    let mut bytes = Vec::new();
    let (encoded, _attached) = handles::collect(|| codec::encode(&value, &mut bytes));
    encoded.unwrap();
    assert_eq!(codec::decode::<Value<u64>>(&bytes).unwrap().get(), 1);
    let error = codec::decode::<Value<i64>>(&bytes).unwrap_err();
    assert_eq!(error.kind(), InvalidArgument);
    assert!(error.to_string().contains("this is not a value of this type"), "{error}");
    assert!(codec::decode::<Lock>(&bytes).is_err() && codec::decode::<Array<u64>>(&bytes).is_err());
}

#[test]
fn a_name_without_its_descriptor_is_refused() {
    let mut bytes = Vec::new();
    let lock = Lock::new().unwrap();
    let (encoded, attached) = handles::collect(|| codec::encode(&lock, &mut bytes));
    encoded.unwrap();
    assert_eq!(attached.len(), 2, "the memory, and the roster");
    drop((lock, attached));
    let error = codec::decode::<Lock>(&bytes).unwrap_err();
    assert_eq!(error.kind(), Decode);
}

#[test]
fn an_object_leaves_no_descriptor_and_no_mapping() {
    let make = || {
        let lock = Lock::new().unwrap();
        drop((lock.lock().unwrap(), RLock::new().unwrap(), Event::new().unwrap(), Barrier::new(2).unwrap()));
        drop((Semaphore::new(1).unwrap(), Value::new(0_u8).unwrap(), Array::<u8>::new(9).unwrap()));
        std::fs::read_to_string("/proc/self/maps").unwrap().matches("concurrent-futures-semaphore").count()
    };
    // Other tests make such objects at the same time, so only a growth over many rounds means something.
    let before = test_support::open_descriptors();
    (0..1000).for_each(|_| assert!(make() < 500));
    assert!(test_support::open_descriptors() < before + 500 && make() < 500);
}
