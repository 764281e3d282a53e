//! A request as HTTP/1.1 has it: bytes of a connection become a method, a path, a query and a body.
//!
//! ```text
//! POST /predict?top=3 HTTP/1.1␍␊Host: localhost␍␊Content-Length: 5␍␊␍␊1,2,3   →   Post, "/predict", "top=3", "1,2,3"
//! ```
//!
//! Everything has a bound: the head [`HEAD_BYTES`] and [`HEADERS`], the body what the server was started
//! with. A body comes with its length; in pieces (`Transfer-Encoding`) it is refused, so two lengths can
//! never contradict each other. The crate `httparse` reads the lines, what they mean is decided here.

use super::response::Refusal;
use httparse::{EMPTY_HEADER, Error, Header, Status};
use std::net::IpAddr;

/// The most bytes of a request's line and headers.
pub(super) const HEAD_BYTES: usize = 16 << 10;
/// The most headers.
const HEADERS: usize = 64;

/// The methods that an endpoint may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::command) enum HttpMethod {
    /// Reads something.
    Get,
    /// The same without the body of the answer.
    Head,
    /// Asks for a prediction.
    Post,
    /// Any other.
    Other,
}

/// The line and the headers of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::command) struct RequestHead {
    /// Its method.
    pub method: HttpMethod,
    /// The path, without the query.
    pub path: String,
    /// The query behind the `?`, empty if there is none.
    pub query: String,
    /// Bytes of the body.
    pub length: usize,
    /// Whether the connection stays open for another request.
    pub keep_alive: bool,
    /// Whether the client waits for a word before it sends the body.
    pub expects_continue: bool,
    /// Bytes of the head itself.
    pub bytes: usize,
}

/// Hosts that a request may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::command) enum AllowedHosts {
    /// Any.
    Any,
    /// This machine's own names alone: a page from elsewhere, whose host was made to lead here, does not
    /// read answers. The text says how others may ask, where there is a way.
    Local(&'static str),
}

/// The head that bytes begin with; `None` where its end has not come yet.
pub(super) fn parse_head(
    bytes: &[u8],
    hosts: AllowedHosts,
) -> Result<Option<RequestHead>, Refusal> {
    let mut headers = [EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let size = match parsed.parse(bytes) {
        Ok(Status::Complete(size)) if size <= HEAD_BYTES => size,
        Ok(Status::Partial) if bytes.len() < HEAD_BYTES => return Ok(None),
        Ok(_) => return Err(too_large()),
        Err(Error::TooManyHeaders) => return Err(too_large()),
        Err(Error::Version) => return Err(Refusal::new(505, "the server speaks HTTP/1.1")),
        Err(error) => return Err(Refusal::new(400, &format!("no request of HTTP: {error}"))),
    };
    let target = parsed.path.unwrap_or_default();
    let (path, query) = split_target(target)
        .ok_or_else(|| Refusal::new(400, "a request's target is a path such as /predict"))?;
    let is_new = parsed.version == Some(1);
    let headers = Headers(parsed.headers);
    check_host(headers.only("host")?, is_new, hosts)?;
    if headers.all("transfer-encoding").next().is_some() {
        let message = "send the body with its length (Content-Length), not in pieces";
        return Err(Refusal::new(411, message));
    }
    let expects_continue = match headers.only("expect")? {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("100-continue") => is_new,
        Some(_) => return Err(Refusal::new(417, "`Expect` may be 100-continue alone")),
    };
    Ok(Some(RequestHead {
        method: match parsed.method {
            Some("GET") => HttpMethod::Get,
            Some("HEAD") => HttpMethod::Head,
            Some("POST") => HttpMethod::Post,
            _ => HttpMethod::Other,
        },
        path: path.to_owned(),
        query: query.to_owned(),
        length: headers.length()?,
        keep_alive: headers.keep_alive(is_new),
        expects_continue,
        bytes: size,
    }))
}

fn too_large() -> Refusal {
    let message =
        format!("a request has at most {HEAD_BYTES} bytes and {HEADERS} lines of headers");
    Refusal::new(431, &message)
}

/// The path and the query of a request's target, which may begin with the server's own address.
fn split_target(target: &str) -> Option<(&str, &str)> {
    let after_host = |rest: &str| rest.find('/').map(|at| rest.len() - at);
    let target = match target.strip_prefix("http://") {
        Some(rest) => &rest[rest.len() - after_host(rest)?..],
        None => target,
    };
    let target = target.starts_with('/').then_some(target)?;
    Some(target.split_once('?').unwrap_or((target, "")))
}

/// Refuses a request that names no host, or one that is not this machine where that is asked for.
fn check_host(host: Option<&str>, is_new: bool, hosts: AllowedHosts) -> Result<(), Refusal> {
    let Some(host) = host else {
        return match is_new {
            true => Err(Refusal::new(400, "a request of HTTP/1.1 names its host")),
            false => Ok(()),
        };
    };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_local =
        name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|it| it.is_loopback());
    match hosts {
        AllowedHosts::Local(otherwise) if !is_local => {
            let message = format!("this server answers on localhost alone{otherwise}");
            Err(Refusal::new(403, &message))
        }
        AllowedHosts::Local(_) | AllowedHosts::Any => Ok(()),
    }
}

/// The headers of a request.
struct Headers<'h>(&'h [Header<'h>]);

impl<'h> Headers<'h> {
    /// The values of a name.
    fn all(&self, name: &'static str) -> impl Iterator<Item = &'h [u8]> + use<'h> {
        let headers = self.0.iter();
        headers.filter(move |it| it.name.eq_ignore_ascii_case(name)).map(|it| it.value)
    }

    /// The value of a name that may come once.
    fn only(&self, name: &'static str) -> Result<Option<&'h str>, Refusal> {
        let mut all = self.all(name);
        match (all.next(), all.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => match std::str::from_utf8(value) {
                Ok(value) => Ok(Some(value.trim())),
                Err(_) => Err(Refusal::new(400, &format!("the header `{name}` is no text"))),
            },
            (Some(_), Some(_)) => {
                Err(Refusal::new(400, &format!("the header `{name}` comes twice")))
            }
        }
    }

    /// Bytes of the body; none where nothing says so.
    fn length(&self) -> Result<usize, Refusal> {
        let Some(text) = self.only("content-length")? else { return Ok(0) };
        // `parse` would take a sign.
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits {
            return Err(Refusal::new(400, "`Content-Length` is a number of bytes"));
        }
        // A length that no number holds is too large all the same.
        Ok(text.parse().unwrap_or(usize::MAX))
    }

    fn keep_alive(&self, is_new: bool) -> bool {
        let names = |word: &str| {
            let mut words = self.all("connection").flat_map(|it| it.split(|&byte| byte == b','));
            words.any(|it| it.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
        };
        !names("close") && (is_new || names("keep-alive"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Option<RequestHead>, u16> {
        parse_head(text.as_bytes(), AllowedHosts::Local("")).map_err(|refusal| refusal.status)
    }

    fn with(headers: &str) -> Result<RequestHead, u16> {
        let text = format!("POST /a?b HTTP/1.1\r\nHost: localhost:80\r\n{headers}\r\n");
        parsed(&text).map(|head| head.expect("a whole head"))
    }

    #[test]
    fn a_head_is_whole_or_not_yet() {
        let text = "GET / HTTP/1.1\r\nHost: [::1]:1\r\n\r\nrest";
        for end in 0..text.len() - 4 {
            assert_eq!(parsed(&text[..end]), Ok(None), "{end}");
        }
        let head = parsed(text).unwrap().unwrap();
        assert_eq!((head.method, &head.path[..], head.length), (HttpMethod::Get, "/", 0));
        assert_eq!(head.bytes, text.len() - 4);
        assert!(head.keep_alive && !head.expects_continue);
    }

    #[test]
    fn lengths_are_plain_numbers_and_come_once() {
        assert_eq!(with("Content-Length: 12\r\n").unwrap().length, 12);
        assert_eq!(with("content-length: 99999999999999999999999\r\n").unwrap().length, usize::MAX);
        for wrong in ["+1", "-1", "1,1", "0x10", "", "1 2"] {
            assert_eq!(with(&format!("Content-Length: {wrong}\r\n")), Err(400), "{wrong}");
        }
        assert_eq!(with("Content-Length: 1\r\nContent-Length: 1\r\n"), Err(400));
        assert_eq!(with("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), Err(411));
    }

    #[test]
    fn connections_stay_open_unless_somebody_says_otherwise() {
        assert!(with("").unwrap().keep_alive);
        assert!(!with("Connection: Keep-Alive, CLOSE\r\n").unwrap().keep_alive);
        assert!(!parsed("GET / HTTP/1.0\r\n\r\n").unwrap().unwrap().keep_alive);
        let old = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
        assert!(parsed(old).unwrap().unwrap().keep_alive);
        assert!(with("Expect: 100-Continue\r\n").unwrap().expects_continue);
        assert_eq!(with("Expect: the unexpected\r\n"), Err(417));
    }

    #[test]
    fn hosts_and_targets_are_looked_at() {
        let host = |host: &str| parsed(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        for good in ["localhost", "LOCALHOST:9", "127.0.0.1:80", "127.1.2.3", "[::1]", "[::1]:80"] {
            assert!(host(good).is_ok(), "{good}");
        }
        for bad in ["evil.example", "localhost.evil.example:80", "10.0.0.1", ""] {
            assert_eq!(host(bad), Err(403), "{bad}");
        }
        assert_eq!(parsed("GET / HTTP/1.1\r\n\r\n"), Err(400));
        let target = |target: &str| {
            let head = parsed(&format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
            head.map(|head| head.unwrap()).map(|head| (head.path, head.query))
        };
        let both = |path: &str, query: &str| Ok((path.to_owned(), query.to_owned()));
        assert_eq!(target("http://localhost/v2?a=1"), both("/v2", "a=1"));
        assert_eq!(target("/a?b?c"), both("/a", "b?c"));
        for wrong in ["*", "http://localhost", "localhost:80"] {
            assert_eq!(target(wrong), Err(400), "{wrong}");
        }
        assert_eq!(parsed("PRI * HTTP/2.0\r\n\r\n"), Err(505));
        assert_eq!(parsed("\0\0\0"), Err(400));
    }

    #[test]
    fn floods_of_headers_are_refused() {
        assert_eq!(with(&"A: b\r\n".repeat(HEADERS)), Err(431));
        assert!(with(&"A: b\r\n".repeat(HEADERS - 1)).is_ok());
        let long = format!("A: {}\r\n", "b".repeat(HEAD_BYTES));
        assert_eq!(with(&long), Err(431));
        assert_eq!(parsed(&format!("GET /{}", "a".repeat(HEAD_BYTES))), Err(431));
    }
}
