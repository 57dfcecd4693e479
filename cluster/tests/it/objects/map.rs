//! Maps.

use cluster::Map;
use executor_core::ErrorKind;
use process_pool::Process;
use test_support::watched;

use super::{LONG, access, connect, raw::Raw, start};

#[test]
fn values_are_found_under_keys_of_any_text() {
    watched(|| {
        let Some((_server, client)) = start(LONG) else { return };
        let map: Map<String> = client.map("a map: ü").unwrap();
        let keys = ["", " ", "a.b", "*", ">", "$KV", "_", "_2E", "a/b", "ü", "\0\n", "key=7", &"k".repeat(2000)];
        for key in keys {
            assert_eq!(map.get(key).unwrap(), None);
            map.insert(key, key.to_string()).unwrap();
        }
        for key in keys {
            assert_eq!(map.get(key).unwrap().as_deref(), Some(key));
        }
        let mut found = map.keys().unwrap();
        found.sort_unstable();
        let mut expected = keys.map(String::from);
        expected.sort_unstable();
        assert_eq!(found, expected);
        assert_eq!(map.get(&"ü".repeat(700)).unwrap_err().kind(), ErrorKind::InvalidArgument);
        assert!(map.remove("ü").unwrap() && !map.remove("ü").unwrap() && !map.contains_key("ü").unwrap());
        assert_eq!(map.keys().unwrap().len(), keys.len() - 1);
        map.insert("ü", "again".to_string()).unwrap();
        assert_eq!(map.get("ü").unwrap().as_deref(), Some("again"));
    });
}

/// Adds one to a value, many times. Returns which values it has made.
fn count((url, token, times): (String, String, usize)) -> Vec<u64> {
    let map: Map<u64> = connect(url, &token, LONG).map("counters").unwrap();
    (0..times).map(|_| map.update("hits", |hits| Some(hits.unwrap_or(0) + 1)).unwrap().unwrap()).collect()
}

#[test]
fn no_update_of_eight_processes_is_lost_or_made_twice() {
    const TIMES: usize = 50;
    watched(|| {
        let Some((server, client)) = start(LONG) else { return };
        let (url, token) = access(&server);
        let workers: Vec<_> =
            (0..8).map(|_| Process::spawn(count, (url.clone(), token.clone(), TIMES)).unwrap()).collect();
        let mut made: Vec<u64> = workers.iter().flat_map(|worker| worker.result(None).unwrap()).collect();
        made.sort_unstable();
        assert!(made.into_iter().eq(1..=8 * TIMES as u64), "each value is made once");
        assert_eq!(client.map::<u64>("counters").unwrap().get("hits").unwrap(), Some(8 * TIMES as u64));
    });
}

fn remove_all((url, token): (String, String)) -> usize {
    let map: Map<u64> = connect(url, &token, LONG).map("prizes").unwrap();
    (0..40).filter(|key| map.remove(&key.to_string()).unwrap()).count()
}

#[test]
fn each_key_is_removed_by_one_process() {
    watched(|| {
        let Some((server, client)) = start(LONG) else { return };
        let map: Map<u64> = client.map("prizes").unwrap();
        (0..40).for_each(|key| map.insert(&key.to_string(), key).unwrap());
        let workers: Vec<_> = (0..4).map(|_| Process::spawn(remove_all, access(&server)).unwrap()).collect();
        assert_eq!(workers.iter().map(|worker| worker.result(None).unwrap()).sum::<usize>(), 40);
        assert!(map.keys().unwrap().is_empty());
    });
}

#[test]
fn an_update_can_insert_remove_and_do_nothing() {
    watched(|| {
        let Some((_server, client)) = start(LONG) else { return };
        let map: Map<Vec<u8>> = client.map("updates").unwrap();
        assert_eq!(map.update("k", |old| old).unwrap(), None);
        assert_eq!(map.update("k", |_| Some(vec![1])).unwrap(), Some(vec![1]));
        let mut calls = 0;
        let outcome = map.update("k", |old| {
            calls += 1;
            if calls == 1 {
                // Another one is faster.
                map.insert("k", vec![2]).unwrap();
            }
            old.map(|mut old| {
                old.push(3);
                old
            })
        });
        assert_eq!((outcome.unwrap(), calls), (Some(vec![2, 3]), 2));
        assert_eq!(map.update("k", |_| None).unwrap(), None);
        assert_eq!(map.get("k").unwrap(), None);
    });
}

#[test]
fn a_value_of_another_type_is_an_error_for_its_key_alone() {
    watched(|| {
        let Some((server, client)) = start(LONG) else { return };
        let map: Map<u64> = client.map("mixed").unwrap();
        client.map::<String>("mixed").unwrap().insert("text", "seven".to_string()).unwrap();
        let mut raw = Raw::connect(&server);
        raw.publish("$KV.EXM_mixed.garbage", b"\xff");
        raw.publish("$KV.EXM_mixed.other.program", b"\x07");
        map.insert("number", 7).unwrap();
        for key in ["text", "garbage"] {
            let error = map.get(key).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode);
            assert!(error.to_string().contains(&format!("key `{key}` of map `mixed` is not a `u64`")), "{error}");
            assert_eq!(map.update(key, |_| Some(1)).unwrap_err().kind(), ErrorKind::Decode);
            assert!(map.contains_key(key).unwrap());
        }
        assert_eq!(map.get("number").unwrap(), Some(7));
        let mut keys = map.keys().unwrap();
        keys.sort_unstable();
        assert_eq!(keys, ["garbage", "number", "text"]);
        map.insert("garbage", 8).unwrap();
        assert_eq!(map.get("garbage").unwrap(), Some(8));
        assert!(map.remove("text").unwrap());
    });
}
