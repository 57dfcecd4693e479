//! A proxy between a program and its server: it loses, repeats, delays and reorders messages, and cuts connections
//! without a word.

use std::{
    io::{BufReader, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use parking_lot::{Condvar, Mutex};

use super::frame::{Message, Piece};

/// What happens to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Pass,
    Lose,
    Repeat,
    Delay(Duration),
    /// It passes after the next message of its direction.
    Overtaken,
}

type Rule = Box<dyn FnMut(&Message) -> Fate + Send>;

/// A proxy on the loopback. Dropping it ends its connections.
pub struct Proxy {
    port: u16,
    state: Arc<State>,
}

struct State {
    server: String,
    gate: Mutex<Gate>,
    healed: Condvar,
    rule: Mutex<Rule>,
    streams: Mutex<Vec<TcpStream>>,
}

#[derive(Default)]
struct Gate {
    is_cut: bool,
    is_refusing: bool,
    is_dropped: bool,
}

impl Proxy {
    /// Starts a proxy for a server, whose address has a host and a port.
    ///
    /// # Panics
    ///
    /// If no port is left.
    pub fn start(server: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let state = Arc::new(State {
            server: server.to_string(),
            gate: Mutex::default(),
            healed: Condvar::new(),
            rule: Mutex::new(Box::new(|_| Fate::Pass)),
            streams: Mutex::default(),
        });
        let own = state.clone();
        thread::spawn(move || own.accept(&listener));
        Proxy { port, state }
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Decides about each message from now on.
    pub fn set_rule(&self, rule: impl FnMut(&Message) -> Fate + Send + 'static) {
        *self.state.rule.lock() = Box::new(rule);
    }

    /// Stops the traffic in both directions. Connections stay open, and new ones are accepted and not served.
    pub fn cut(&self) {
        self.state.gate.lock().is_cut = true;
    }

    /// Lets the traffic go on, with what was sent in between.
    pub fn heal(&self) {
        self.state.gate.lock().is_cut = false;
        self.state.healed.notify_all();
    }

    /// Closes all connections, and each new one, until it accepts again.
    pub fn refuse(&self) {
        self.state.gate.lock().is_refusing = true;
        self.state.close();
    }

    /// Accepts connections again.
    pub fn accept(&self) {
        self.state.gate.lock().is_refusing = false;
    }

    /// Closes all connections.
    pub fn reset(&self) {
        self.state.close();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.gate.lock().is_dropped = true;
        self.state.healed.notify_all();
        self.state.close();
        // The thread that accepts learns of it by the next connection, if there is one.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl State {
    fn accept(self: Arc<State>, listener: &TcpListener) {
        for program in listener.incoming() {
            if !self.wait_while_cut() {
                return;
            }
            let Ok(program) = program else { continue };
            if self.gate.lock().is_refusing {
                continue;
            }
            let Ok(server) = TcpStream::connect(&self.server) else { continue };
            // A message must not wait for the next one.
            let _ = (program.set_nodelay(true), server.set_nodelay(true));
            let clones = (program.try_clone(), server.try_clone());
            let (Ok(program_too), Ok(server_too)) = clones else { continue };
            self.streams.lock().extend([&program, &server].into_iter().flat_map(TcpStream::try_clone));
            let (there, back) = (self.clone(), self.clone());
            thread::spawn(move || there.pump(program, server_too));
            thread::spawn(move || back.pump(server, program_too));
        }
    }

    /// Moves what one side sends to the other.
    fn pump(&self, from: TcpStream, to: TcpStream) {
        let ends = (from.try_clone(), to.try_clone());
        let mut from = BufReader::new(from);
        let to = Arc::new(Mutex::new(to));
        let mut overtaken = Vec::new();
        while let Ok(Some(piece)) = Piece::read(&mut from) {
            if !self.wait_while_cut() {
                break;
            }
            let written = match piece {
                Piece::Line(line) => to.lock().write_all(&line),
                Piece::Message(message) => {
                    let bytes = message.bytes();
                    let fate = (self.rule.lock())(&message);
                    match fate {
                        Fate::Pass | Fate::Repeat => {
                            let mut bytes = if fate == Fate::Repeat { bytes.repeat(2) } else { bytes };
                            bytes.append(&mut overtaken);
                            to.lock().write_all(&bytes)
                        }
                        Fate::Lose => Ok(()),
                        Fate::Delay(time) => {
                            let to = to.clone();
                            thread::spawn(move || {
                                thread::sleep(time);
                                let _ = to.lock().write_all(&bytes);
                            });
                            Ok(())
                        }
                        Fate::Overtaken => {
                            overtaken.extend(bytes);
                            Ok(())
                        }
                    }
                }
            };
            if written.is_err() {
                break;
            }
        }
        // A connection that has ended on one side ends on the other, but not through a cut.
        self.wait_while_cut();
        let (one, other) = ends;
        for end in [one, other].into_iter().flatten() {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Returns `false` if the proxy is dropped.
    fn wait_while_cut(&self) -> bool {
        let mut gate = self.gate.lock();
        while gate.is_cut && !gate.is_dropped {
            self.healed.wait(&mut gate);
        }
        !gate.is_dropped
    }

    fn close(&self) {
        for stream in self.streams.lock().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
