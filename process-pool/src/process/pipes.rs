//! The standard streams of a process.

use std::process::{ChildStderr, ChildStdin, ChildStdout};

use crate::{
    start::spawn::{Stream, Streams},
    sys::pipe,
};

/// What a standard stream of a [`Process`](crate::Process) is.
///
/// ```
/// # mod concurrent_futures { pub use executor_core::*; pub mod multiprocessing { pub use process_pool::*; } }
/// use std::io::Read;
/// use concurrent_futures::multiprocessing::{Process, Stdio};
///
/// let process = Process::builder().stdout(Stdio::Piped).spawn(|()| println!("hello"), ())?;
/// let mut text = String::new();
/// process.take_stdout().expect("it was asked for").read_to_string(&mut text).unwrap();
/// assert_eq!(text, "hello\n");
/// # Ok::<(), concurrent_futures::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stdio {
    /// The same as that of this program.
    #[default]
    Inherit,
    /// The null device: reading finds the end, and what is written is gone.
    Null,
    /// A pipe, whose other end [`take_stdin`](crate::Process::take_stdin), [`take_stdout`](crate::Process::take_stdout)
    /// or [`take_stderr`](crate::Process::take_stderr) returns.
    Piped,
}

/// This program's ends of the pipes that were asked for.
#[derive(Debug, Default)]
pub(super) struct Pipes {
    pub(super) stdin: Option<ChildStdin>,
    pub(super) stdout: Option<ChildStdout>,
    pub(super) stderr: Option<ChildStderr>,
}

/// Makes the standard streams of a process, and this program's ends of those that are pipes.
pub(super) fn open([stdin, stdout, stderr]: [Stdio; 3]) -> std::io::Result<(Streams, Pipes)> {
    let mut pipes = Pipes::default();
    let input = match stdin {
        Stdio::Inherit => Stream::Inherited,
        Stdio::Null => Stream::Null,
        Stdio::Piped => {
            let (reader, writer) = pipe::new_pipe()?;
            pipes.stdin = Some(writer.into());
            Stream::Pipe(reader)
        }
    };
    let open_output = |stream: Stdio| match stream {
        Stdio::Inherit => Ok((Stream::Inherited, None)),
        Stdio::Null => Ok((Stream::Null, None)),
        Stdio::Piped => pipe::new_pipe().map(|(reader, writer)| (Stream::Pipe(writer), Some(reader))),
    };
    let (output, its_reader) = open_output(stdout)?;
    let (error, error_reader) = open_output(stderr)?;
    pipes.stdout = its_reader.map(Into::into);
    pipes.stderr = error_reader.map(Into::into);
    Ok((Streams { input, output, error: Some(error) }, pipes))
}
