//! The protocol of NATS, as far as a proxy must understand it: lines, and messages with their bytes.

use std::io::{self, BufRead};

use cluster::wire::{ToAgent, ToClient, unpack};

/// What one side sends to the other.
pub enum Piece {
    /// A line that carries no message, with its end.
    Line(Vec<u8>),
    Message(Message),
}

/// A message, in either direction.
pub struct Message {
    line: Vec<u8>,
    pub subject: String,
    /// Headers and payload, with the end of the line after them.
    body: Vec<u8>,
    headers: usize,
}

/// What a message of the cluster is, by its first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The engine says that it has stored a task.
    PubAck,
    /// An agent asks whether a task may start.
    Ask,
    /// A client says that it may.
    Grant,
    /// An agent has the outcome of a task.
    Outcome,
    /// A client has received it.
    Received,
}

impl Kind {
    pub const ALL: [Kind; 5] = [Kind::PubAck, Kind::Ask, Kind::Grant, Kind::Outcome, Kind::Received];
}

impl Piece {
    /// Reads a piece; `None` is the end of the connection.
    pub fn read(from: &mut impl BufRead) -> io::Result<Option<Piece>> {
        let mut line = Vec::new();
        if from.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(&line);
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let number = |word: Option<&&str>| word.and_then(|word| word.parse::<usize>().ok());
        let (has_headers, least) = match words.first() {
            Some(&"PUB") => (false, 3),
            Some(&"HPUB") => (true, 4),
            Some(&"MSG") => (false, 4),
            Some(&"HMSG") => (true, 5),
            _ => return Ok(Some(Piece::Line(line))),
        };
        let (Some(length), true) = (number(words.last()), words.len() >= least) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, text.into_owned()));
        };
        let headers = if has_headers { number(words.get(words.len() - 2)).unwrap_or(0) } else { 0 };
        let subject = words[1].to_string();
        let mut body = vec![0; length + 2];
        from.read_exact(&mut body)?;
        Ok(Some(Piece::Message(Message { line, subject, body, headers })))
    }
}

impl Message {
    pub fn bytes(&self) -> Vec<u8> {
        [&self.line[..], &self.body].concat()
    }

    fn payload(&self) -> &[u8] {
        self.body.get(self.headers..self.body.len() - 2).unwrap_or_default()
    }

    /// Returns whether a message of this kind is in it. A frame may have records of several kinds.
    pub fn is(&self, kind: Kind) -> bool {
        let to_client = || unpack::<ToClient>(self.payload()).map(|(_, records)| records).unwrap_or_default();
        let to_agent = || unpack::<ToAgent>(self.payload()).map(|(_, records)| records).unwrap_or_default();
        match kind {
            Kind::PubAck => {
                let payload = self.payload();
                self.subject.starts_with("_INBOX") && payload.starts_with(b"{\"stream\"")
            }
            Kind::Ask => to_client().iter().any(|record| matches!(record, ToClient::Ask(_))),
            Kind::Outcome => to_client().iter().any(|record| matches!(record, ToClient::Outcome { .. })),
            Kind::Grant => to_agent().iter().any(|record| matches!(record, ToAgent::Grant { .. })),
            Kind::Received => to_agent().iter().any(|record| matches!(record, ToAgent::Received(_))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_through_unchanged() {
        let bytes: &[u8] = b"INFO {}\r\nPUB a.b 3\r\nx\r\n\r\nHMSG s 1 r 4 6\r\nhhhhpp\r\nPING\r\n";
        let mut from = bytes;
        let mut through = Vec::new();
        while let Some(piece) = Piece::read(&mut from).expect("it is right") {
            match piece {
                Piece::Line(line) => through.extend(line),
                Piece::Message(message) => through.extend(message.bytes()),
            }
        }
        assert_eq!(through, bytes);
        assert!(Piece::read(&mut &b"PUB a x\r\n"[..]).is_err());
    }
}
