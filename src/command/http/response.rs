//! An answer as HTTP/1.1 has it, and the refusals of requests.
//!
//! ```text
//! 404 "there is no `x`"   →   HTTP/1.1 404 Not Found␍␊Content-Type: application/json␍␊…␍␊␍␊{"error":"there is no `x`"}
//! ```

use serde_json::{Value, json};
use std::borrow::Cow;

/// A request that gets no answer but a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::command) struct Refusal {
    /// The status code.
    pub status: u16,
    /// The reason.
    pub message: String,
    /// The methods that the path takes, where the request had another.
    pub allow: Option<&'static str>,
}

impl Refusal {
    /// With a status code and a reason.
    pub fn new(status: u16, message: &str) -> Refusal {
        Refusal { status, message: message.to_owned(), allow: None }
    }
}

/// An answer.
#[derive(Debug)]
pub(in crate::command) struct HttpResponse {
    /// The status code.
    pub status: u16,
    content_type: &'static str,
    /// The policy of a page.
    policy: Option<&'static str>,
    allow: Option<&'static str>,
    body: Cow<'static, [u8]>,
}

/// The policy of a page: it may load its own files, and pictures that it has or was given.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
                           img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; \
                           form-action 'none'; frame-ancestors 'none'";

impl HttpResponse {
    /// An object.
    pub fn json(value: &Value) -> HttpResponse {
        HttpResponse::json_bytes(value.to_string().into_bytes())
    }

    /// An object as text.
    pub fn json_bytes(body: Vec<u8>) -> HttpResponse {
        HttpResponse::new(200, "application/json", Cow::Owned(body))
    }

    /// A page.
    pub fn html(text: String) -> HttpResponse {
        HttpResponse::page(text.into_bytes(), PAGE_POLICY)
    }

    /// A page with a policy of its own.
    pub fn page(body: Vec<u8>, policy: &'static str) -> HttpResponse {
        let page = HttpResponse::new(200, "text/html; charset=utf-8", Cow::Owned(body));
        HttpResponse { policy: Some(policy), ..page }
    }

    /// A file of the page.
    pub fn file(content_type: &'static str, text: &'static str) -> HttpResponse {
        HttpResponse::new(200, content_type, Cow::Borrowed(text.as_bytes()))
    }

    /// A file of a page that was put together.
    pub fn text(content_type: &'static str, text: String) -> HttpResponse {
        HttpResponse::new(200, content_type, Cow::Owned(text.into_bytes()))
    }

    fn new(status: u16, content_type: &'static str, body: Cow<'static, [u8]>) -> HttpResponse {
        HttpResponse { status, content_type, policy: None, allow: None, body }
    }

    /// The same with another status code.
    pub fn with_status(self, status: u16) -> HttpResponse {
        HttpResponse { status, ..self }
    }

    /// All bytes to send. `close` says that the connection ends behind them, `head_only` that the client
    /// wants no body.
    pub fn bytes(&self, close: bool, head_only: bool) -> Vec<u8> {
        use std::io::Write;
        let mut out = Vec::with_capacity(self.body.len() + 512);
        let mut line = |name: &str, value: &dyn std::fmt::Display| {
            write!(out, "{name}{value}\r\n").expect("memory takes all there is");
        };
        line("HTTP/1.1 ", &format_args!("{} {}", self.status, reason(self.status)));
        line("Content-Type: ", &self.content_type);
        line("Content-Length: ", &self.body.len());
        line("Cache-Control: ", &"no-store");
        line("X-Content-Type-Options: ", &"nosniff");
        line("Referrer-Policy: ", &"no-referrer");
        line("Cross-Origin-Resource-Policy: ", &"same-origin");
        if let Some(policy) = self.policy {
            line("Content-Security-Policy: ", &policy);
        }
        if let Some(allow) = self.allow {
            line("Allow: ", &allow);
        }
        if self.status == 503 {
            line("Retry-After: ", &1);
        }
        line("Connection: ", &if close { "close" } else { "keep-alive" });
        out.extend_from_slice(b"\r\n");
        if !head_only {
            out.extend_from_slice(&self.body);
        }
        out
    }
}

impl From<Refusal> for HttpResponse {
    fn from(refusal: Refusal) -> HttpResponse {
        let mut response = HttpResponse::json(&json!({ "error": refusal.message }));
        (response.status, response.allow) = (refusal.status, refusal.allow);
        response
    }
}

/// The words of a status code, as RFC 9110 has them.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        411 => "Length Required",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_how_long_it_is_and_how_the_connection_goes_on() {
        let refusal = Refusal { allow: Some("GET"), ..Refusal::new(405, "a \"reason\"") };
        let response = HttpResponse::from(refusal);
        let text =
            |close, head_only| String::from_utf8(response.bytes(close, head_only)).expect("text");
        let whole = text(true, false);
        assert!(whole.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{whole}");
        assert!(
            whole.contains("\r\nAllow: GET\r\n") && whole.contains("\r\nConnection: close\r\n")
        );
        let body = r#"{"error":"a \"reason\""}"#;
        assert!(whole.ends_with(&format!("\r\n\r\n{body}")), "{whole}");
        assert!(whole.contains(&format!("\r\nContent-Length: {}\r\n", body.len())));
        let head = text(false, true);
        assert!(head.ends_with("\r\nConnection: keep-alive\r\n\r\n"), "{head}");
    }
}
