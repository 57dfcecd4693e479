//! The configuration of a server.

use std::fmt::Write as _;

use executor_core::{Error, ErrorKind};

use super::{address::Address, folder::Folder};

/// The longest message, which the server recommends as the greatest value.
pub(super) const LONGEST_PAYLOAD: usize = 8 << 20;

/// Returns an error if the server would not take the token as it is.
pub(super) fn check_token(token: &str) -> Result<(), Error> {
    let wrong = if token.is_empty() {
        "is empty, so everyone could connect"
    } else if token.chars().any(char::is_control) {
        "has control characters"
    } else if token.starts_with("$2") {
        "begins with `$2`, so the server would take it for the hash of another token"
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::InvalidArgument, format!("the token of a server {wrong}: use a long random text")))
}

/// Returns the configuration. A dead peer is noticed within seconds: by default the server would deliver to its socket
/// for minutes.
pub(super) fn text(address: &Address, token: &str, folder: &Folder) -> String {
    let port = if address.port() == 0 { "-1".into() } else { address.port().to_string() };
    format!(
        "host: {host}\n\
         port: {port}\n\
         authorization {{ token: {token} }}\n\
         jetstream {{ store_dir: {store} }}\n\
         ports_file_dir: {ports}\n\
         log_file: {log}\n\
         logfile_size_limit: 1MB\n\
         logfile_max_num: 2\n\
         max_payload: {LONGEST_PAYLOAD}\n\
         ping_interval: \"5s\"\n\
         ping_max: 2\n",
        host = quoted(address.host()),
        token = quoted(token),
        store = quoted(&folder.store().to_string_lossy()),
        ports = quoted(&folder.path().to_string_lossy()),
        log = quoted(&folder.log().to_string_lossy()),
    )
}

/// Returns a text as a string of the configuration, which reads escapes as Go does.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_ascii_control() => {
                let _ = write!(quoted, "\\x{:02X}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_end_its_string() {
        assert_eq!(quoted("a\"b\\c\n} x"), r#""a\"b\\c\x0A} x""#);
    }

    #[test]
    fn tokens_that_the_server_would_take_for_something_else_are_refused() {
        for token in ["", "a\nb", "a\0", "$2a$11$PGmGHbLSqv3jYwLZlLhm9u4nCaL5nwuQ1q2k8rWqz6HBtSdcSo8HK"] {
            assert_eq!(check_token(token).expect_err(token).kind(), ErrorKind::InvalidArgument);
        }
        for token in ["abc", "a b", "ä\"\\{}$x", "2a"] {
            check_token(token).expect(token);
        }
    }
}
