//! A client of the server's own protocol, which sends whatever a test wants.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};

use cluster::Server;
use test_support::DEADLINE;

/// A connection to a server.
pub struct Raw(BufReader<TcpStream>);

impl Raw {
    pub fn connect(server: &Server) -> Raw {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).expect("the server listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
        let mut raw = Raw(BufReader::new(stream));
        let connect =
            format!("CONNECT {{\"auth_token\":\"{}\",\"verbose\":false,\"headers\":true}}\r\n", server.token());
        raw.send(connect.as_bytes());
        raw
    }

    /// Publishes bytes, and waits until the server has received them.
    pub fn publish(&mut self, subject: &str, payload: &[u8]) {
        self.send(format!("PUB {subject} {}\r\n", payload.len()).as_bytes());
        self.send(payload);
        self.send(b"\r\nPING\r\n");
        while self.line().trim() != "PONG" {}
    }

    /// Asks the server's management, and waits for its answer.
    pub fn manage(&mut self, subject: &str) {
        self.send(format!("SUB _INBOX.raw 2\r\nPUB $JS.API.{subject} _INBOX.raw 0\r\n\r\n").as_bytes());
        loop {
            let line = self.line();
            if line.starts_with("MSG ") {
                let answer = self.line();
                assert!(answer.contains("\"success\":true"), "{answer}");
                return self.send(b"UNSUB 2\r\n");
            }
        }
    }

    /// Subscribes to a subject.
    pub fn subscribe(&mut self, subject: &str) {
        self.send(format!("SUB {subject} 1\r\nPING\r\n").as_bytes());
        while self.line().trim() != "PONG" {}
    }

    /// Returns the headers of the next message that has some.
    pub fn headers(&mut self) -> String {
        loop {
            let line = self.line();
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["PING"] => self.send(b"PONG\r\n"),
                ["HMSG", _, _, headers, total] => {
                    let mut message = vec![0; total.parse::<usize>().expect("a length") + 2];
                    self.0.read_exact(&mut message).expect("a message");
                    message.truncate(headers.parse().expect("a length"));
                    return String::from_utf8(message).expect("headers are text");
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).expect("the server reads");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).expect("the server answers") > 0, "the server has closed the connection");
        line
    }
}
