//! Random names, which no one can guess.

use std::{fmt::Write as _, fs::File, io::Read as _};

use executor_core::{Error, ErrorKind};

/// Returns 32 hexadecimal digits, from 128 random bits of the system.
pub(crate) fn name() -> Result<String, Error> {
    let mut bits = [0_u8; 16];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bits)).map_err(|error| {
        let message = format!("/dev/urandom cannot be read, so there are no names that no one can guess: {error}");
        Error::new(ErrorKind::Other, message)
    })?;
    Ok(bits.iter().fold(String::new(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    }))
}
