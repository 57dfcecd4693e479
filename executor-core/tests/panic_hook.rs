//! Which panics reach the panic hook. This is a separate program, because a process has only one hook.

use std::{
    any::Any,
    panic::{self, catch_unwind, resume_unwind},
    sync::{Arc, Mutex},
};

use executor_core::{Error, Executor, InlineExecutor};

fn run<R: serde::Serialize + serde::de::DeserializeOwned + Send + 'static>(
    function: impl executor_core::Function<(), R>,
) -> Result<R, Error> {
    InlineExecutor::new().submit(function, ()).expect("accepted").result(None)
}

/// Returns whether the panic of the error has this line of this file as its location.
fn is_at(error: &Error, line: u32) -> bool {
    location(error).is_some_and(|location| location.contains(&format!("panic_hook.rs:{line}:")))
}

fn location(error: &Error) -> Option<&str> {
    error.panic().expect("a panic").location()
}

fn text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("not text")
}

struct CatchesInDrop;

impl Drop for CatchesInDrop {
    fn drop(&mut self) {
        assert!(catch_unwind(|| panic!("in the drop")).is_err());
    }
}

#[test]
fn each_panic_is_either_a_value_or_reported_to_the_hook() {
    let reported: Arc<Mutex<Vec<String>>> = Arc::default();
    let hook = reported.clone();
    panic::set_hook(Box::new(move |info| {
        hook.lock().unwrap().push(text(info.payload()).to_string());
    }));
    let reported = || std::mem::take(&mut *reported.lock().unwrap());

    // The panic becomes the error of the task.
    let error = run(|()| -> u64 { panic!("delivered") }).unwrap_err();
    assert!(is_at(&error, line!() - 1), "{error}");
    assert_eq!(reported(), Vec::<String>::new());

    // The task catches the panic itself.
    assert!(run(|()| catch_unwind(|| panic!("caught")).is_err()).unwrap());
    let texts = reported();
    assert!(texts.len() == 1 && texts[0].contains("caught") && texts[0].contains("panic_hook.rs:"), "{texts:?}");

    // Its location is not used for a later panic that does not reach the hook.
    let raises = |()| -> u64 {
        let _ = catch_unwind(|| panic!("caught before"));
        resume_unwind(Box::new("raised"))
    };
    let error = run(raises).unwrap_err();
    assert_eq!((error.panic().unwrap().message(), location(&error)), ("raised", None));
    assert!(reported().concat().contains("caught before"));

    // The task catches several, and one becomes its error: each is reported or returned once.
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
    let texts = reported();
    for n in 0..3 {
        assert_eq!(texts.iter().filter(|text| text.contains(&format!("caught {n}"))).count(), 1, "{texts:?}");
    }

    // The task resumes a panic that it has caught.
    let passes_on = |()| -> u64 { resume_unwind(catch_unwind(|| -> u64 { panic!("passed on") }).unwrap_err()) };
    let line = line!() - 1;
    let error = run(passes_on).unwrap_err();
    assert!(is_at(&error, line), "{error}");
    assert_eq!(reported(), Vec::<String>::new());

    // A drop catches another panic during the unwinding.
    let error = run(|()| -> u64 {
        let _catches = CatchesInDrop;
        panic!("unwinding")
    })
    .unwrap_err();
    assert!(is_at(&error, line!() - 3), "{error}");
    assert_eq!(error.panic().unwrap().message(), "unwinding");
    assert_eq!(reported().iter().filter(|text| text.contains("in the drop")).count(), 1);

    // A payload that is not text.
    let numbers = |()| -> u64 {
        let _ = catch_unwind(|| panic::panic_any(1u8));
        panic::panic_any(2u16)
    };
    let line = line!() - 2;
    let error = run(numbers).unwrap_err();
    assert!(is_at(&error, line), "{error}");
    assert_eq!(reported().len(), 2, "the first is reported, and the second reaches the hook immediately");

    // The panic of a callback is not the error of a task.
    let future = InlineExecutor::new().submit(|()| 1u64, ()).expect("accepted");
    future.add_done_callback(|_| panic!("in a callback"));
    assert_eq!(reported(), ["in a callback"]);
    drop(panic::take_hook());
}
