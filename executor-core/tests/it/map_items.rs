//! Which item of a map has failed, and the input beside its result.

use std::time::Duration;

use executor_core::{Backend, Error, ErrorKind, Executor, InlineExecutor, MapOptions, Shutdown};

use crate::support::{Manual, Remote, panics};

/// Panics for multiples of five.
fn picky(n: u64) -> u64 {
    assert!(n % 5 != 0, "a multiple of five");
    n * 2
}

fn options() -> [MapOptions; 4] {
    let plain = MapOptions::new;
    [plain(), plain().chunksize(1), plain().chunksize(7).unordered(), plain().buffersize(9).chunksize(4)]
}

#[test]
fn an_error_says_which_item_it_belongs_to_and_its_name() {
    let executor = InlineExecutor::new();
    for options in options() {
        let named = options.clone().name_by(|n: &u64| format!("number {n}\u{7}"));
        let numbers = |options| {
            let map = executor.map_with(options, picky, 100..130u64).expect("accepted");
            map.filter_map(Result::err).collect::<Vec<Error>>()
        };
        let errors = numbers(options);
        assert_eq!(errors.iter().filter_map(Error::item).collect::<Vec<_>>(), [0, 5, 10, 15, 20, 25]);
        assert!(errors[1].to_string().starts_with("item 5: task `"), "{}", errors[1]);
        assert!(errors[1].panic().is_some() && errors[1].item_name().is_none());
        let errors = numbers(named);
        assert_eq!(errors[2].item_name(), Some("number 110\u{7}"));
        assert!(errors[2].to_string().starts_with("item 10 (`number 110\\u{7}`): task `"), "{}", errors[2]);
    }
}

#[test]
fn a_reply_of_another_process_has_the_numbers_too() {
    let remote = Remote::default();
    let map = remote.map_with(MapOptions::new().chunksize(4), picky, 1..12u64).expect("accepted");
    remote.complete_all();
    let items: Vec<_> = map.filter_map(|result| result.err()?.item()).collect();
    assert_eq!(items, [4, 9]);
}

#[test]
fn a_function_that_names_another_type_is_refused_and_one_that_panics_loses_nothing() {
    let options = MapOptions::new().name_by(|text: &String| text.clone());
    let error = InlineExecutor::new().map_with(options, picky, [1u64]).expect_err("other items");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("`u64`"), "{error}");

    let options = MapOptions::new().buffersize(1).name_by(|n: &u64| {
        assert!(*n != 2, "it has no name");
        n.to_string()
    });
    let executor = InlineExecutor::new();
    let mut map = executor.map_with(options, picky, 1..4u64).expect("accepted");
    assert_eq!(map.next().expect("an item").expect("a value"), 2);
    assert!(panics(|| drop(map.next())));
}

#[test]
fn each_input_is_yielded_once_beside_its_result() {
    let executor = InlineExecutor::new();
    for options in options() {
        let pairs = executor.map_pairs_with(options, picky, 1..100u64).expect("accepted");
        let mut inputs = Vec::new();
        for (input, result) in pairs {
            inputs.push(input);
            match result {
                Ok(value) => assert_eq!(value, input * 2),
                Err(error) => assert_eq!((input % 5, error.item()), (0, Some(input as usize - 1))),
            }
        }
        assert_eq!(inputs.len(), 99);
        inputs.sort_unstable();
        assert!(inputs.into_iter().eq(1..100));
    }
}

#[test]
fn an_unordered_map_yields_the_input_that_is_done() {
    let manual = Manual::new();
    let options = MapOptions::new().chunksize(1).unordered();
    let mut pairs = manual.map_pairs_with(options, picky, [1u64, 2, 3]).expect("accepted");
    let tasks = [manual.take(), manual.take(), manual.take()];
    for (number, task) in tasks.into_iter().enumerate().rev() {
        task.run();
        let (input, result) = pairs.next().expect("one is done");
        assert_eq!((input, result.expect("a value")), (number as u64 + 1, number as u64 * 2 + 2));
    }
    assert!(pairs.next().is_none());
}

#[test]
fn the_inputs_that_are_left_have_the_error_that_ended_the_map() {
    let manual = Manual::new();
    let options = MapOptions::new().chunksize(2).timeout(Duration::ZERO);
    let mut pairs = manual.map_pairs_with(options, picky, 1..6u64).expect("accepted");
    manual.take().run();
    let done: Vec<_> = pairs.by_ref().take(2).map(|(input, result)| (input, result.is_ok())).collect();
    assert_eq!(done, [(1, true), (2, true)]);
    let left: Vec<_> = pairs.map(|(input, result)| (input, result.expect_err("timed out").kind())).collect();
    assert_eq!(left, [3, 4, 5].map(|input| (input, ErrorKind::Timeout)));

    let executor = InlineExecutor::new();
    let mut pairs =
        executor.map_pairs_with(MapOptions::new().buffersize(3).chunksize(3), picky, 1..9u64).expect("accepted");
    executor.close(Shutdown::Drain);
    let kinds: Vec<_> = pairs.by_ref().map(|(input, result)| (input, result.err().map(|error| error.kind()))).collect();
    assert_eq!(kinds[..3], [1, 2, 3].map(|input| (input, None)));
    assert!(kinds.len() > 3 && kinds[3..].iter().all(|(_, kind)| *kind == Some(ErrorKind::ShutDown)), "{kinds:?}");
}
