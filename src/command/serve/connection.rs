//! A connection: requests are read one by one, answered in order, until one side ends it.
//!
//! ```text
//! idle ─first byte→ head ─→ refused? ─→ body ─→ answer ─→ idle …        each arrow but the first has a deadline
//! ```
//!
//! Requests that came together (pipelining) wait in the buffer. After a refusal whose body was not read
//! the connection is closed, since what follows might be that body.

use super::Service;
use super::endpoints;
use super::request::{HEAD_BYTES, RequestHead, parse_head};
use super::response::{HttpResponse, Refusal};
use super::stream::{ClientStream, StreamEnd};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a connection may stay open without a request.
const IDLE: Duration = Duration::from_secs(60);

/// A client's connection, as the server knows it.
pub(super) struct Connection {
    stream: TcpStream,
    /// Whether it waits for the first byte of a request.
    idle: AtomicBool,
}

impl Connection {
    /// Of a client that has just come.
    pub fn new(stream: TcpStream) -> Connection {
        Connection { stream, idle: AtomicBool::new(true) }
    }

    /// Ends it if it is idle. What came in the meantime is still read, and answered.
    pub fn end_if_idle(&self) {
        if self.idle.load(Ordering::SeqCst) {
            let _ = self.stream.shutdown(Shutdown::Read);
        }
    }

    /// Answers nothing but a refusal.
    pub fn refuse(&self, refusal: Refusal, timeout: Duration) {
        let mut client = ClientStream::new(&self.stream);
        let response = HttpResponse::from(refusal).bytes(true, false);
        if client.write(&response, Instant::now() + timeout).is_ok() {
            client.close();
        }
    }

    /// Answers requests until the connection ends.
    pub fn serve(&self, service: &Service) {
        let mut client = ClientStream::new(&self.stream);
        loop {
            // In this order: whoever drains sets its flag before it looks at this one.
            self.idle.store(true, Ordering::SeqCst);
            if service.is_draining() && client.unread.is_empty() {
                return;
            }
            if client.unread.is_empty() && client.fill(Instant::now() + IDLE).is_err() {
                return;
            }
            self.idle.store(false, Ordering::SeqCst);
            match exchange(service, &mut client) {
                Exchange::Next => {}
                Exchange::Gone => return,
                Exchange::Refused => return client.close(),
            }
        }
    }
}

/// How a connection goes on behind a request.
enum Exchange {
    /// With another one.
    Next,
    /// It is over.
    Gone,
    /// It is over, and the client may still be sending.
    Refused,
}

/// Reads a request and answers it.
fn exchange(service: &Service, client: &mut ClientStream<'_>) -> Exchange {
    let deadline = Instant::now() + service.limits.timeout;
    let head = match read_head(service, client, deadline) {
        Ok(head) => head,
        Err(Unread::Gone) => return Exchange::Gone,
        Err(Unread::Refused(refusal)) => return refuse(service, client, refusal),
    };
    // A method that takes no body may come with one all the same; it is read over.
    if let Err(refusal) = endpoints::check(service, &head) {
        if head.length > 0 {
            return refuse(service, client, refusal);
        }
        service.counts.refused.fetch_add(1, Ordering::Relaxed);
        return send(service, client, &head, &refusal.into());
    }
    let (body, room) = match read_body(service, client, &head) {
        Ok(body) => body,
        Err(Unread::Gone) => return Exchange::Gone,
        Err(Unread::Refused(refusal)) => return refuse(service, client, refusal),
    };
    let answer = endpoints::answer(service, &head, body);
    drop(room);
    let count = match &answer {
        Ok(answer) if answer.status == 200 => &service.counts.answered,
        _ => &service.counts.refused,
    };
    count.fetch_add(1, Ordering::Relaxed);
    send(service, client, &head, &answer.unwrap_or_else(HttpResponse::from))
}

/// Sends an answer to a request that was read whole.
fn send(
    service: &Service,
    client: &mut ClientStream<'_>,
    head: &RequestHead,
    response: &HttpResponse,
) -> Exchange {
    let close = !head.keep_alive || service.is_draining();
    let bytes = response.bytes(close, head.method == super::request::HttpMethod::Head);
    match client.write(&bytes, Instant::now() + service.limits.timeout) {
        Err(_) => Exchange::Gone,
        Ok(()) if close => Exchange::Refused,
        Ok(()) => Exchange::Next,
    }
}

/// Sends a refusal, and ends the connection: what comes next may be the rest of the request.
fn refuse(service: &Service, client: &mut ClientStream<'_>, refusal: Refusal) -> Exchange {
    service.counts.refused.fetch_add(1, Ordering::Relaxed);
    let bytes = HttpResponse::from(refusal).bytes(true, false);
    match client.write(&bytes, Instant::now() + service.limits.timeout) {
        Ok(()) => Exchange::Refused,
        Err(_) => Exchange::Gone,
    }
}

/// Why a request could not be read.
enum Unread {
    /// There is nobody to answer.
    Gone,
    /// This is the answer.
    Refused(Refusal),
}

impl Unread {
    /// Of a stream that ended while a part of a request was awaited.
    fn of(end: StreamEnd, part: &str) -> Unread {
        match end {
            StreamEnd::Closed => Unread::Gone,
            StreamEnd::Late => {
                Unread::Refused(Refusal::new(408, &format!("the {part} took too long to come")))
            }
        }
    }
}

impl From<Refusal> for Unread {
    fn from(refusal: Refusal) -> Unread {
        Unread::Refused(refusal)
    }
}

/// Reads the head of a request and takes it off the buffer.
fn read_head(
    service: &Service,
    client: &mut ClientStream<'_>,
    deadline: Instant,
) -> Result<RequestHead, Unread> {
    let mut worth_parsing = true;
    loop {
        if worth_parsing && let Some(head) = parse_head(&client.unread, service.limits.hosts)? {
            client.take(head.bytes);
            return Ok(head);
        }
        let filled = client.fill(deadline);
        let new = filled.map_err(|end| Unread::of(end, "head of the request"))?;
        // Only what ends a line can end a head, so a head that comes byte by byte is not parsed as often.
        let unread = &client.unread;
        worth_parsing = unread[unread.len() - new..].contains(&b'\n') || unread.len() >= HEAD_BYTES;
    }
}

/// Reads the body of a request; the room that it takes is given back with the second.
fn read_body<'s>(
    service: &'s Service,
    client: &mut ClientStream<'_>,
    head: &RequestHead,
) -> Result<(Vec<u8>, super::room::Taken<'s>), Unread> {
    let most = service.limits.body_bytes;
    if head.length > most {
        let message = format!("a body has at most {most} bytes");
        return Err(Refusal::new(413, &message).into());
    }
    let room = service.bodies.take(head.length).ok_or_else(|| {
        Refusal::new(503, "the server holds as many requests as it has room for: try again")
    })?;
    let deadline = Instant::now() + service.limits.timeout;
    if head.expects_continue && client.unread.len() < head.length {
        let word = b"HTTP/1.1 100 Continue\r\n\r\n";
        client.write(word, deadline).map_err(|end| Unread::of(end, "client"))?;
    }
    while client.unread.len() < head.length {
        client.fill(deadline).map_err(|end| Unread::of(end, "body of the request"))?;
    }
    Ok((client.take(head.length), room))
}
