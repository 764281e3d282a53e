//! Clients that mean no good, or do not know better: each gets its error, and the server stays up.

use crate::client::Client;
use crate::{Server, images, runs};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

/// A request with headers of its own.
fn request(line: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n{body}").into_bytes()
}

#[test]
fn paths_and_methods_lead_to_endpoints_or_nowhere() {
    let server = Server::start(runs(), "images", &[]);
    for path in [
        "/nothing",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/page.js/../../../etc/passwd",
        "/best.safetensors",
        "/images/run.json",
        "/v2/models/other",
        "/v2/models/other/infer",
        "/v2/models/net/versions/1/infer",
        "/v2/models/..%2fnet",
        "/\u{7f}",
    ] {
        let answer = server.raw(&request(&format!("GET {path}"), "Connection: close\r\n", ""));
        let status = answer.expect("an answer").status;
        assert!(status == 404 || path == "/\u{7f}" && status == 400, "{path}: {status}");
    }
    for (method, path, allow) in [
        ("GET", "/predict", "POST"),
        ("DELETE", "/", "GET, HEAD"),
        ("PUT", "/predict", "POST"),
        ("POST", "/v2", "GET, HEAD"),
        ("GET", "/v2/models/net/infer", "POST"),
        ("TRACE", "/v2", "GET, HEAD"),
        ("OPTIONS", "/predict", "POST"),
    ] {
        let answer = server.ask(method, path, b"");
        assert_eq!(answer.status, 405, "{method} {path}");
        assert!(answer.head.contains(&format!("\r\nAllow: {allow}\r\n")), "{}", answer.head);
    }
    server.is_well();
}

#[test]
fn bodies_name_no_files() {
    let server = Server::start(runs(), "images", &[]);
    runs().write("there.csv", "1,2,3\n".as_bytes());
    let there = runs().path("there.csv");
    for name in ["/etc/passwd", "there.csv", &there.to_string_lossy(), "file:///etc/passwd"] {
        let answer = server.ask("POST", "/predict", name.as_bytes());
        assert_eq!(answer.status, 400, "{name}");
        assert!(answer.error().contains("not an image"), "{name}: {}", answer.error());
    }
    server.is_well();
}

#[test]
fn heads_that_are_none_are_refused() {
    let server = Server::start(runs(), "images", &[]);
    let with = |headers: &str| request("POST /predict", headers, "");
    let cases: Vec<(Vec<u8>, u16)> = vec![
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), 400),
        (b"hello\r\n\r\n".to_vec(), 400),
        (b"GET / HTTP/3.0\r\n\r\n".to_vec(), 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), 505),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_vec(), 400),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_vec(), 403),
        (b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n".to_vec(), 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n folded: yes\r\n\r\n".to_vec(), 400),
        (b"GET\0/ HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), 400),
        (b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(), 400),
        (with("Content-Length: -1\r\n"), 400),
        (with("Content-Length: 1x\r\n"), 400),
        (with("Content-Length: 3\r\nContent-Length: 4\r\n"), 400),
        (with("Content-Length: 99999999999999999999999\r\n"), 413),
        (with("Content-Length: 17000000\r\n"), 413),
        (with("Transfer-Encoding: chunked\r\n"), 411),
        (with("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"), 411),
        (with("Expect: wonders\r\n"), 417),
        (with(&"X: y\r\n".repeat(100)), 431),
        (with(&format!("X: {}\r\n", "y".repeat(100_000))), 431),
        (format!("GET /{} HTTP/1.1\r\n", "a".repeat(100_000)).into_bytes(), 431),
    ];
    for (bytes, status) in cases {
        let answer = server.raw(&bytes);
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned();
        let answer = answer.unwrap_or_else(|| panic!("an answer to {shown:?}"));
        assert_eq!(answer.status, status, "{shown:?}: {}", answer.error());
        assert!(answer.head.contains("Connection: close"), "{shown:?}: {}", answer.head);
        server.is_well();
    }
}

/// On a loopback address, a page whose host was made to lead here reads nothing; who opens the server to a
/// network lets it be called by any name.
#[test]
fn hosts_are_checked_where_only_this_machine_may_ask() {
    let named = |server: &Server, host: &str| {
        let head = format!("GET /v2 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        server.raw(head.as_bytes()).expect("an answer").status
    };
    let server = Server::start(runs(), "rows", &[]);
    for (host, status) in [("localhost:8080", 200), ("127.0.0.1", 200), ("nnc.example", 403)] {
        assert_eq!(named(&server, host), status, "{host}");
    }
    let open = Server::start(runs(), "rows", &["--host", "0.0.0.0"]);
    assert!(open.address.ip().is_unspecified());
    assert_eq!(named(&open, "nnc.example:80"), 200);
}

#[test]
fn wrong_json_and_wrong_tensors_are_told_what_is_wrong() {
    let server = Server::start(runs(), "images", &[]);
    let input = |more: Value| {
        let mut input = images(&[1])["inputs"][0].clone();
        let object = input.as_object_mut().expect("an object");
        object.extend(more.as_object().expect("an object").clone());
        json!({ "inputs": [input] }).to_string()
    };
    let twice = json!({ "inputs": [images(&[1])["inputs"][0], images(&[2])["inputs"][0]] });
    let mut other = images(&[1]);
    other["outputs"] = json!([{ "name": "logits" }]);
    for (body, wanted) in [
        (String::new(), "the body is wrong"),
        ("{".to_owned(), "the body is wrong"),
        ("[]".to_owned(), "the body is wrong"),
        ("\u{0}".to_owned(), "the body is wrong"),
        ("{\"inputs\":[]} x".to_owned(), "trailing characters"),
        ("[".repeat(100_000), "the body is wrong"),
        (format!("{{\"a\":{}", "[".repeat(100_000)), "the body is wrong"),
        (format!("{{\"inputs\":{}", "[".repeat(100_000)), "the body is wrong"),
        (json!({}).to_string(), "missing field `inputs`"),
        (json!({ "inputs": [] }).to_string(), "`image` is missing"),
        (json!({ "inputs": 3 }).to_string(), "the body is wrong"),
        (input(json!({ "name": "picture" })), "no input `picture`; it takes `image`"),
        (input(json!({ "shape": [28, 28] })), "[28, 28]; the model takes [samples, 28, 28, 1]"),
        (input(json!({ "shape": [1, 1, 28, 28] })), "the model takes [samples, 28, 28, 1]"),
        (input(json!({ "shape": [2, 28, 28, 1] })), "has 784 numbers in its data"),
        (input(json!({ "shape": [0, 28, 28, 1], "data": [] })), "has no samples"),
        (input(json!({ "shape": [1_u64 << 62, 28, 28, 1] })), "more than 4096 samples"),
        (input(json!({ "shape": [-1, 28, 28, 1] })), "the body is wrong"),
        (input(json!({ "datatype": "FP32" })), "is UINT8 in this model, and FP32"),
        (input(json!({ "datatype": "BYTES" })), "is UINT8 in this model, and BYTES"),
        (input(json!({ "data": vec![256; 784] })), "256 of `image` is no UINT8"),
        (input(json!({ "data": vec![0.5; 784] })), "0.5 of `image` is no UINT8"),
        (input(json!({ "data": vec!["a"; 784] })), "the body is wrong"),
        (input(json!({ "data": vec![true; 784] })), "are numbers in this model"),
        (input(json!({ "data": vec![vec![0; 392]; 2] })), "in lists of that shape"),
        (input(json!({ "data": "AAAA" })), "the body is wrong"),
        (twice.to_string(), "`image` comes twice"),
        (other.to_string(), "no output `logits`; it has `output`"),
    ] {
        let answer = server.ask("POST", "/v2/models/net/infer", body.as_bytes());
        let shown: String = body.chars().take(60).collect();
        assert_eq!(answer.status, 400, "{shown}");
        assert!(answer.error().contains(wanted), "{shown}: {}", answer.error());
    }
    for (path, body, status) in [
        ("/predict", &b""[..], 400),
        ("/predict", b"PK\x03\x04", 415),
        ("/predict", b"\x1f\x8b\x08", 415),
        ("/predict?top=0", b"x", 400),
        ("/predict?file=/etc/passwd", b"x", 400),
    ] {
        assert_eq!(server.ask("POST", path, body).status, status, "{path} {body:?}");
    }
    assert_eq!(server.outputs("net", &images(&[1])).len(), 10);
}

#[test]
fn slow_clients_are_refused_and_fast_ones_are_not_kept_waiting() {
    let server = Server::start(runs(), "images", &["--timeout", "0.4"]);
    let head = request("POST /predict", "Content-Length: 100\r\n", "");
    let slow = |mut client: Client, bytes: Vec<u8>| {
        thread::spawn(move || {
            let start = Instant::now();
            client.stream.set_nodelay(true).expect("an option");
            for byte in bytes {
                if client.stream.write_all(&[byte]).is_err() {
                    break;
                }
                thread::sleep(Duration::from_millis(10));
            }
            (client.answer(), start.elapsed())
        })
    };
    let endless = [&head[..], &[b'1'; 60]].concat();
    let in_head = slow(server.connect(), request("GET /", &"X: y\r\n".repeat(50), ""));
    let mut whole_head = server.connect();
    whole_head.write(&head);
    let in_body = slow(whole_head, endless[head.len()..].to_vec());
    let mut silent = server.connect();
    silent.write(b"GET / HT");
    for number in 0..20 {
        assert_eq!(server.outputs("net", &images(&[number])).len(), 10);
    }
    for slow in [in_head, in_body] {
        let (answer, time) = slow.join().expect("no panic");
        assert_eq!(answer.expect("an answer").status, 408);
        assert!(time < Duration::from_secs(5), "{time:?}");
    }
    let answer = silent.answer().expect("an answer");
    assert_eq!((answer.status, silent.is_over()), (408, true));
    server.is_well();
}

#[test]
fn half_a_request_and_a_closed_connection_do_no_harm() {
    let server = Server::start(runs(), "images", &[]);
    let whole = images(&[3]).to_string();
    let head = format!(
        "POST /v2/models/net/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        whole.len()
    );
    let bytes = [head.as_bytes(), whole.as_bytes()].concat();
    for sent in [0, 1, 20, head.len() - 1, head.len(), head.len() + 10, bytes.len() - 1] {
        for how in [Shutdown::Write, Shutdown::Both] {
            let mut client = server.connect();
            client.write(&bytes[..sent]);
            client.stream.shutdown(how).expect("a connection");
            assert!(how == Shutdown::Both || client.answer().is_none(), "{sent} bytes");
        }
    }
    // One who is gone before the answer.
    for _ in 0..20 {
        let mut client = server.connect();
        client.write(&bytes);
        drop(client);
    }
    // One who will send no more still gets it.
    let mut client = server.connect();
    client.write(&bytes);
    client.stream.shutdown(Shutdown::Write).expect("a connection");
    assert_eq!(client.answer().expect("an answer").status, 200);
    server.is_well();
}

#[test]
fn huge_bodies_are_refused_before_they_come() {
    let server = Server::start(runs(), "images", &["--max-body", "1"]);
    let mut client = server.connect();
    client.write(&request("POST /predict", "Content-Length: 5000000000\r\n", ""));
    // The refusal is read though the body is on its way.
    for _ in 0..64 {
        if client.stream.write_all(&[b'x'; 1 << 14]).is_err() {
            break;
        }
    }
    let answer = client.answer().expect("an answer");
    assert_eq!(answer.status, 413);
    assert!(answer.error().contains("at most 1048576 bytes"), "{}", answer.error());
    // One that asks first is told before it sends anything.
    let mut client = server.connect();
    let headers = "Expect: 100-continue\r\nContent-Length: 2000000\r\n";
    client.write(&request("POST /predict", headers, ""));
    assert_eq!(client.answer().expect("an answer").status, 413);
    let mut client = server.connect();
    let headers = "Expect: 100-continue\r\nContent-Length: 5\r\n";
    client.write(&request("POST /predict", headers, ""));
    assert_eq!(client.answer().expect("a word").status, 100);
    client.write(b"1,2,3");
    assert_eq!(client.answer().expect("an answer").status, 400, "three numbers are no image");
    let lines = "a\n".repeat(100_000);
    assert_eq!(server.ask("POST", "/predict", lines.as_bytes()).status, 413);
    server.is_well();
}

#[test]
fn requests_that_come_together_are_answered_in_order() {
    let server = Server::start(runs(), "images", &[]);
    let mut client = server.connect();
    let mut bytes = Vec::new();
    for number in 0..30 {
        let mut body = images(&[number]);
        body["id"] = json!(number.to_string());
        let body = body.to_string();
        bytes.extend_from_slice(
            format!("POST /v2/models/net/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len())
                .as_bytes(),
        );
        bytes.extend_from_slice(&request("GET /nothing", "", ""));
    }
    bytes.extend_from_slice(&request("GET /v2", "Connection: close\r\n", ""));
    bytes.extend_from_slice(&request("GET /v2", "", ""));
    let mut writer = client.stream.try_clone().expect("a connection");
    let sending = thread::spawn(move || writer.write_all(&bytes));
    for number in 0..30 {
        let answer = client.answer().expect("an answer");
        assert_eq!(answer.json()["id"], number.to_string());
        assert_eq!(client.answer().expect("an answer").status, 404, "and the connection goes on");
    }
    assert_eq!(client.answer().expect("an answer").json()["name"], "nnc");
    assert!(client.is_over(), "nothing behind the last");
    sending.join().expect("no panic").expect("all is sent");
}

#[test]
fn more_connections_than_there_are_threads_for_wait_for_others() {
    let server = Server::start(runs(), "images", &[]);
    let idle: Vec<Client> = (0..256).map(|_| server.connect()).collect();
    // They are let in one after the other, so the last is not before the others.
    let mut one_more = server.connect();
    assert_eq!(one_more.answer().expect("an answer").status, 503);
    drop(idle);
    let start = Instant::now();
    while server.ask("GET", "/v2", b"").status != 200 {
        assert!(start.elapsed() < Duration::from_secs(10), "room again");
    }
    server.is_well();
}

/// Bytes of requests with some changed, cut or doubled: an answer or an end, and the server lives.
#[test]
fn damaged_requests_are_answered_or_ended() {
    let server = Server::start(runs(), "rows", &["--timeout", "0.3"]);
    let body = json!({ "inputs": [
        { "name": "a", "shape": [1], "datatype": "FP32", "data": [0.5] },
        { "name": "kind", "shape": [1], "datatype": "INT32", "data": [1] },
    ] });
    let body = body.to_string();
    let whole = format!(
        "POST /v2/models/net/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut random = 1_u64;
    let mut next = move |below: usize| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below
    };
    for _ in 0..1500 {
        let mut bytes = whole.clone().into_bytes();
        for _ in 0..1 + next(3) {
            let at = next(bytes.len());
            match next(4) {
                0 => bytes[at] = next(256) as u8,
                1 => bytes.truncate(at.max(1)),
                2 => bytes.insert(at, b"0\r\n{}[]:,\"\0"[next(11)]),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        let mut client = server.connect();
        let _ = client.stream.write_all(&bytes);
        let _ = client.stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = client.stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 "), "{answer:?}");
        assert!(!answer.starts_with(b"HTTP/1.1 500"), "{:?}", String::from_utf8_lossy(&bytes));
    }
    server.is_well();
}
