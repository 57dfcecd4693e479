//! The standard streams of a process.

use std::{
    io::{Read as _, Write as _},
    process::Stdio as CommandStdio,
};

use process_pool::{Process, Stdio};

use crate::{
    programs,
    support::{DEADLINE, SharedDir},
};

fn read_all() -> String {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_or_else(|error| error.to_string(), |_| text)
}

/// (`_TestSubclassingProcess.test_stderr_flush`, `TestStdinBadfiledescriptor.test_flushing`)
#[test]
fn piped_streams_reach_this_program_whole() {
    fn copies(_: ()) {
        let text = read_all();
        // Without a line end, so that it is written when the process ends.
        print!("{}", text.to_uppercase());
        eprint!("{} bytes", text.len());
    }
    let builder = Process::builder().stdin(Stdio::Piped).stdout(Stdio::Piped).stderr(Stdio::Piped);
    let process = builder.spawn(copies, ()).unwrap();
    process.take_stdin().unwrap().write_all(b"some text").unwrap();
    assert!(process.take_stdin().is_none(), "it was taken");
    let (mut out, mut err) = (String::new(), String::new());
    process.take_stdout().unwrap().read_to_string(&mut out).unwrap();
    process.take_stderr().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((out.as_str(), err.as_str()), ("SOME TEXT", "9 bytes"));
    process.result(DEADLINE).unwrap();
}

/// (`test_error_on_stdio_flush_1`)
#[test]
fn a_panic_is_printed_to_the_standard_error_of_the_process() {
    let process =
        Process::builder().name("panics").stderr(Stdio::Piped).spawn(|()| -> () { panic!("on purpose") }, ()).unwrap();
    let mut text = String::new();
    process.take_stderr().unwrap().read_to_string(&mut text).unwrap();
    assert!(text.starts_with("process `panics`: task `") && text.contains("panicked: on purpose (at "), "{text}");
    // The process does not depend on a reader.
    let process = Process::builder().stderr(Stdio::Piped).spawn(|()| -> () { panic!("on purpose") }, ()).unwrap();
    drop(process.take_stderr());
    assert!(process.join(DEADLINE));
    assert_eq!(process.exit_code(), Some(1));
}

#[test]
fn null_streams_are_empty_and_take_everything() {
    let builder = Process::builder().stdin(Stdio::Null).stdout(Stdio::Null).stderr(Stdio::Null);
    let process = builder
        .spawn(
            |()| {
                println!("{}", "nothing reads this".repeat(10_000));
                eprintln!("{}", "nothing reads this".repeat(10_000));
                read_all()
            },
            (),
        )
        .unwrap();
    assert!(process.take_stdin().is_none() && process.take_stdout().is_none() && process.take_stderr().is_none());
    assert_eq!(process.result(DEADLINE).unwrap(), "");
}

#[test]
fn an_input_that_was_not_taken_does_not_keep_a_process_waiting() {
    type Wait = fn(&Process<String>);
    let waits: [Wait; 3] = [
        |process| assert!(process.join(DEADLINE)),
        |process| assert_eq!(process.result(DEADLINE).unwrap(), ""),
        // The drop waits.
        |_| {},
    ];
    for wait in waits {
        let process = Process::builder().stdin(Stdio::Piped).spawn(|()| read_all(), ()).unwrap();
        wait(&process);
    }
}

#[test]
fn a_process_of_a_process_has_the_streams_of_its_parent() {
    fn outer(_: ()) -> usize {
        Process::spawn(
            |()| {
                let text = read_all();
                println!("inner: {text}");
                text.len()
            },
            (),
        )
        .unwrap()
        .result(DEADLINE)
        .unwrap()
    }
    let process = Process::builder().stdin(Stdio::Piped).stdout(Stdio::Piped).spawn(outer, ()).unwrap();
    process.take_stdin().unwrap().write_all(b"four").unwrap();
    let mut text = String::new();
    process.take_stdout().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), process.result(DEADLINE).unwrap()), ("inner: four\n", 4));
}

/// (`TestStdinBadfiledescriptor.test_queue_in_process`: the program has no standard input)
#[test]
fn a_program_without_standard_streams_has_processes() {
    let dir = SharedDir::new();
    let mut program = programs::command("has_no_standard_streams");
    program.env("TESTED", dir.path("works"));
    program.stdin(CommandStdio::null()).stdout(CommandStdio::null()).stderr(CommandStdio::null());
    assert!(program.status().unwrap().success());
    assert!(dir.has("works"));
}

#[allow(unsafe_code)]
pub fn has_no_standard_streams() {
    for descriptor in 0..3 {
        // SAFETY: nothing else in this program uses these descriptors.
        unsafe { libc::close(descriptor) };
    }
    for stdio in [Stdio::Inherit, Stdio::Null, Stdio::Piped] {
        let builder = Process::builder().stdin(stdio).stdout(stdio).stderr(stdio);
        let process = builder.spawn(|()| (read_all().len(), std::process::id()), ()).unwrap();
        assert_eq!(process.result(DEADLINE).unwrap(), (0, process.pid()));
        assert!(process.join(DEADLINE) && process.exit_code() == Some(0));
    }
    crate::support::touch(&std::env::var("TESTED").unwrap());
}
