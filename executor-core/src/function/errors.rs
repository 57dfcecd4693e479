//! Errors as bytes, for another process of this program.

use crate::{Error, ErrorKind, codec};

impl Error {
    /// Appends the encoded error to `into`. [`Error::decode`] decodes it in another process of this program.
    ///
    /// ```
    /// # use executor_core as concurrent_futures;
    /// use concurrent_futures::{Error, ErrorKind};
    /// let mut bytes = Vec::new();
    /// Error::new(ErrorKind::Other, "no such queue").encode(&mut bytes);
    /// assert_eq!(Error::decode(&bytes).to_string(), "no such queue");
    /// ```
    pub fn encode(&self, into: &mut Vec<u8>) {
        let start = into.len();
        if codec::write(self, into).is_err() {
            // This happens only where no stack is left. `decode` then returns an error that says so.
            into.truncate(start);
        }
    }

    /// Decodes an error that [`Error::encode`] encoded.
    ///
    /// Bytes that are not an encoded error become an error of kind [`ErrorKind::Decode`] that says so. The message is
    /// escaped, so that it is safe to show on a terminal, whatever the other process has sent.
    pub fn decode(bytes: &[u8]) -> Error {
        let mut error: Option<Error> = None;
        match (codec::read(bytes, &mut error), error) {
            (Ok(_), Some(error)) => error.with_escaped_message(),
            (read, _) => {
                let cause = read.err().map_or_else(String::new, |cause| cause.to_string());
                Error::new(ErrorKind::Decode, format!("a worker sent an error that cannot be decoded: {cause}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Panic;

    #[test]
    fn an_error_round_trips_with_its_details() {
        let panic = Panic::new("boom".into(), Some("src/a.rs:1:2".into()), Some("0: main".into()), "worker-1".into());
        let mut bytes = Vec::new();
        Error::panicked("parse", panic).encode(&mut bytes);
        let error = Error::decode(&bytes);
        assert_eq!(error.kind(), ErrorKind::Panicked);
        let panic = error.panic().expect("the panic is encoded too");
        assert_eq!((panic.message(), panic.location()), ("boom", Some("src/a.rs:1:2")));
        assert_eq!((panic.backtrace(), panic.worker()), (Some("0: main"), "worker-1"));
    }

    #[test]
    fn bytes_that_are_not_an_error_decode_to_an_error_that_says_so() {
        assert_eq!(Error::decode(&[255, 255, 255]).kind(), ErrorKind::Decode);
    }
}
