//! A client's connection with deadlines: whoever sends or takes bytes too slowly loses it.
//!
//! Time-outs of sockets begin anew with each byte, so each wait gets what is left until a deadline, to an
//! eighth of it: a socket that has the right time-out already is not told again.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// Why no more bytes come or go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamEnd {
    /// The client has closed the connection, or it broke.
    Closed,
    /// The deadline has passed.
    Late,
}

/// Bytes that are read at once.
const CHUNK: usize = 16 << 10;
/// How long and how many bytes a client that was refused may go on sending, so that it gets to read why:
/// closing at once would throw the answer away with what it still sends.
const LINGER: (Duration, usize) = (Duration::from_millis(500), 4 << 20);

/// A client's connection.
pub(super) struct ClientStream<'s> {
    stream: &'s TcpStream,
    /// Bytes that came and were not taken yet.
    pub unread: Vec<u8>,
    /// The time-outs that the socket has.
    read_timeout: Duration,
    write_timeout: Duration,
}

impl<'s> ClientStream<'s> {
    /// A connection from which nothing was read.
    pub fn new(stream: &'s TcpStream) -> ClientStream<'s> {
        // Answers are written whole; none waits to be joined with the next.
        let _ = stream.set_nodelay(true);
        let (read_timeout, write_timeout) = (Duration::ZERO, Duration::ZERO);
        ClientStream { stream, unread: Vec::new(), read_timeout, write_timeout }
    }

    /// Makes the socket wait no longer for bytes than until the deadline, or about so long.
    fn wait_until(&mut self, deadline: Instant) -> Result<(), StreamEnd> {
        let left = left(deadline)?;
        if !suits(self.read_timeout, left) {
            self.stream.set_read_timeout(Some(left)).map_err(|_| StreamEnd::Closed)?;
            self.read_timeout = left;
        }
        Ok(())
    }

    /// Reads some bytes, at least one; tells how many.
    pub fn fill(&mut self, deadline: Instant) -> Result<usize, StreamEnd> {
        let before = self.unread.len();
        loop {
            self.wait_until(deadline)?;
            self.unread.resize(before + CHUNK, 0);
            let read = self.stream.read(&mut self.unread[before..]);
            self.unread.truncate(before + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => return Err(StreamEnd::Closed),
                Ok(bytes) => return Ok(bytes),
                Err(error) => end_of(error.kind())?,
            }
        }
    }

    /// Takes bytes off the front.
    pub fn take(&mut self, bytes: usize) -> Vec<u8> {
        let rest = self.unread.split_off(bytes);
        std::mem::replace(&mut self.unread, rest)
    }

    /// Writes all of it.
    pub fn write(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<(), StreamEnd> {
        while !bytes.is_empty() {
            let left = left(deadline)?;
            if !suits(self.write_timeout, left) {
                self.stream.set_write_timeout(Some(left)).map_err(|_| StreamEnd::Closed)?;
                self.write_timeout = left;
            }
            match self.stream.write(bytes) {
                Ok(0) => return Err(StreamEnd::Closed),
                Ok(written) => bytes = &bytes[written..],
                Err(error) => end_of(error.kind())?,
            }
        }
        Ok(())
    }

    /// Ends the connection behind a refusal, whose request may still be on its way.
    pub fn close(&mut self) {
        let (time, most) = LINGER;
        if self.stream.shutdown(Shutdown::Write).is_err() {
            return;
        }
        let deadline = Instant::now() + time;
        let mut read = 0;
        while read < most {
            self.unread.clear();
            match self.fill(deadline) {
                Ok(bytes) => read += bytes,
                Err(_) => return,
            }
        }
    }
}

/// The time until a deadline, if it has not passed.
fn left(deadline: Instant) -> Result<Duration, StreamEnd> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(StreamEnd::Late) } else { Ok(left) }
}

/// Whether a time-out is about what is left: not shorter, and longer by an eighth at most.
fn suits(timeout: Duration, left: Duration) -> bool {
    (left..=left + left / 8).contains(&timeout)
}

/// Whether an error ends a stream; that a call was interrupted does not.
fn end_of(kind: ErrorKind) -> Result<(), StreamEnd> {
    match kind {
        ErrorKind::Interrupted => Ok(()),
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Err(StreamEnd::Late),
        _ => Err(StreamEnd::Closed),
    }
}
