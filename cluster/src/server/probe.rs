//! Whether a server works: a client of its protocol that asks one question.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    time::{Duration, Instant},
};

use super::address::Address;

/// The longest line that is read of a server.
const LONGEST_LINE: u64 = 64 << 10;

/// Returns an error with the reason if no server answers at this address, or one that does not accept the token or has
/// no JetStream.
pub(super) fn check(address: &Address, token: &str, deadline: Instant) -> Result<(), String> {
    ask(address, token, deadline).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it does not answer".into(),
        _ => format!("it does not answer as it should ({error})"),
    })
}

fn ask(address: &Address, token: &str, deadline: Instant) -> io::Result<()> {
    let mut server = connect(address, deadline)?;
    let question = format!(
        "CONNECT {{\"auth_token\":{},\"verbose\":false,\"pedantic\":false,\"headers\":true,\"no_responders\":true}}\r\n\
         SUB _INBOX.start 1\r\nPUB $JS.API.INFO _INBOX.start 0\r\n\r\n",
        quoted(token)
    );
    server.write_all(question.as_bytes())?;
    let mut lines = BufReader::new(server);
    loop {
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero());
        lines.get_ref().set_read_timeout(Some(left.ok_or(io::ErrorKind::TimedOut)?))?;
        let mut line = String::new();
        if lines.by_ref().take(LONGEST_LINE).read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.split_whitespace().next() {
            Some("MSG") => return Ok(()),
            Some("PING") => lines.get_mut().write_all(b"PONG\r\n")?,
            Some("HMSG") => return Err(io::Error::other("JetStream does not run")),
            Some("-ERR") => return Err(io::Error::other(line.trim().to_string())),
            _ => {}
        }
    }
}

/// Connects to the first address that accepts.
fn connect(address: &Address, deadline: Instant) -> io::Result<TcpStream> {
    let mut error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for one in (address.host(), address.port()).to_socket_addrs()? {
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(&one, left) {
            Ok(server) => return Ok(server),
            Err(refused) => error = refused,
        }
    }
    Err(error)
}

/// Returns a token as a string of JSON. It has no control characters.
fn quoted(token: &str) -> String {
    format!("\"{}\"", token.replace('\\', "\\\\").replace('"', "\\\""))
}
