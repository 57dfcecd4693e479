//! What goes to the panic hook, and what does not. A program of its own: a process has one hook.

use std::{
    panic::{self, catch_unwind, resume_unwind},
    sync::{Arc, Mutex},
};

use executor_core::{Error, Executor, InlineExecutor};

fn run<R: serde::Serialize + serde::de::DeserializeOwned + Send + 'static>(
    function: impl executor_core::Function<(), R>,
) -> Result<R, Error> {
    InlineExecutor::new().submit(function, ()).expect("accepted").result(None)
}

/// Whether the error's panic is said to have happened in this line.
fn is_at(error: &Error, line: u32) -> bool {
    place(error).is_some_and(|place| place.contains(&format!("panic_hook.rs:{line}:")))
}

fn place(error: &Error) -> Option<&str> {
    error.panic().expect("a panic").location()
}

struct Untidy;

impl Drop for Untidy {
    fn drop(&mut self) {
        assert!(catch_unwind(|| panic!("in the drop")).is_err());
    }
}

#[test]
fn each_panic_is_a_value_or_goes_to_the_hook() {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let hook = heard.clone();
    panic::set_hook(Box::new(move |info| {
        hook.lock().unwrap().push(info.payload_as_str().unwrap_or("not text").to_string());
    }));
    let heard = || std::mem::take(&mut *heard.lock().unwrap());

    // One that is delivered.
    let error = run(|()| -> u64 { panic!("delivered") }).unwrap_err();
    assert!(is_at(&error, line!() - 1), "{error}");
    assert_eq!(heard(), Vec::<String>::new());

    // One that the task catches itself.
    assert!(run(|()| catch_unwind(|| panic!("caught")).is_err()).unwrap());
    let said = heard();
    assert!(said.len() == 1 && said[0].contains("caught") && said[0].contains("panic_hook.rs:"), "{said:?}");

    // It leaves no place for one that never went by the hook.
    let raises = |()| -> u64 {
        let _ = catch_unwind(|| panic!("caught before"));
        resume_unwind(Box::new("raised"))
    };
    let error = run(raises).unwrap_err();
    assert_eq!((error.panic().unwrap().message(), place(&error)), ("raised", None));
    assert!(heard().concat().contains("caught before"));

    // The task catches several, and one is delivered: each shows once as what it is.
    let several = |()| -> u64 {
        for n in 0..3 {
            assert!(catch_unwind(|| panic!("caught {n}")).is_err());
        }
        panic!("and one that is delivered")
    };
    let line = line!() - 2;
    let error = run(several).unwrap_err();
    assert_eq!(error.panic().unwrap().message(), "and one that is delivered");
    assert!(is_at(&error, line), "{error}");
    let said = heard();
    for n in 0..3 {
        assert_eq!(said.iter().filter(|text| text.contains(&format!("caught {n}"))).count(), 1, "{said:?}");
    }

    // The task passes on what it has caught.
    let passes_on = |()| -> u64 { resume_unwind(catch_unwind(|| -> u64 { panic!("passed on") }).unwrap_err()) };
    let line = line!() - 1;
    let error = run(passes_on).unwrap_err();
    assert!(is_at(&error, line), "{error}");
    assert_eq!(heard(), Vec::<String>::new());

    // A drop on the way catches another.
    let error = run(|()| -> u64 {
        let _untidy = Untidy;
        panic!("on the way")
    })
    .unwrap_err();
    assert!(is_at(&error, line!() - 3), "{error}");
    assert_eq!(error.panic().unwrap().message(), "on the way");
    assert_eq!(heard().iter().filter(|text| text.contains("in the drop")).count(), 1);

    // A payload that is no text.
    let numbers = |()| -> u64 {
        let _ = catch_unwind(|| panic::panic_any(1u8));
        panic::panic_any(2u16)
    };
    let line = line!() - 2;
    let error = run(numbers).unwrap_err();
    assert!(is_at(&error, line), "{error}");
    assert_eq!(heard().len(), 2, "the first is reported, and the second went by the hook at once");

    // A callback's panic belongs to nobody.
    let future = InlineExecutor::new().submit(|()| 1u64, ()).expect("accepted");
    future.add_done_callback(|_| panic!("in a callback"));
    assert_eq!(heard(), ["in a callback"]);
    drop(panic::take_hook());
}
