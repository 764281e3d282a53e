//! Requests that arrive together are computed together, and nobody can tell; Ctrl-C answers what began.

use crate::{Server, client, images, runs};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn together_or_alone_the_bits_are_the_same() {
    let server = Server::start(runs(), "images", &["--batch", "13"]);
    const IMAGES: usize = 40;
    let alone: Vec<Vec<u32>> =
        (0..IMAGES).map(|number| server.outputs("net", &images(&[number]))).collect();
    assert!(alone.windows(2).all(|pair| pair[0] != pair[1]), "each image has its own outputs");
    // In one request, of each size.
    for count in 1..IMAGES {
        let all = server.outputs("net", &images(&(0..count).collect::<Vec<_>>()));
        assert_eq!(all, alone[..count].concat(), "{count} images");
    }
    // In many requests at once.
    const CLIENTS: usize = 12;
    const ROUNDS: usize = 20;
    thread::scope(|scope| {
        for from in 0..CLIENTS {
            let (server, alone) = (&server, &alone);
            scope.spawn(move || {
                let mut client = server.connect();
                for round in 0..ROUNDS {
                    let first = (7 * from + round) % IMAGES;
                    let numbers: Vec<usize> =
                        (0..1 + round % 3).map(|it| (first + it) % IMAGES).collect();
                    let body = images(&numbers).to_string();
                    client.send("POST", "/v2/models/net/infer", body.as_bytes());
                    let answer = client.answer().expect("an answer");
                    assert_eq!(answer.status, 200, "{answer:?}");
                    let wanted: Vec<u32> =
                        numbers.iter().flat_map(|&number| alone[number].clone()).collect();
                    assert_eq!(client::outputs(&answer.json()), wanted, "{numbers:?}");
                }
            });
        }
    });
    server.interrupt();
    let (code, said) = server.end();
    assert_eq!(code, Some(0), "{said}");
    let numbers: Vec<usize> =
        said.split(|it: char| !it.is_ascii_digit()).filter_map(|it| it.parse().ok()).collect();
    let [answered, refused, samples, steps] = numbers[..] else { panic!("four numbers: {said}") };
    let requests = IMAGES + IMAGES - 1 + CLIENTS * ROUNDS;
    assert_eq!((answered, refused), (requests, 0), "{said}");
    let of_rounds: usize = (0..ROUNDS).map(|round| 1 + round % 3).sum();
    assert_eq!(samples, IMAGES + IMAGES * (IMAGES - 1) / 2 + CLIENTS * of_rounds, "{said}");
    assert!(steps < samples, "{said}");
}

#[test]
fn an_interrupted_server_answers_what_has_begun_and_ends() {
    let server = Server::start(runs(), "images", &[]);
    let body = images(&[1, 2, 3]).to_string();
    let head = format!(
        "POST /v2/models/net/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut idle = server.connect();
    idle.send("GET", "/v2", b"");
    assert_eq!(idle.answer().expect("an answer").status, 200);
    let mut begun: Vec<_> = (0..5).map(|_| server.connect()).collect();
    for client in &mut begun {
        client.write(head.as_bytes());
        client.write(&body.as_bytes()[..100]);
    }
    // Each has been let in, and its thread reads.
    thread::sleep(Duration::from_millis(300));
    server.interrupt();
    assert!(idle.is_over(), "an idle connection ends at once");
    for client in &mut begun {
        client.write(&body.as_bytes()[100..]);
        let answer = client.answer().expect("an answer");
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains("Connection: close"), "{}", answer.head);
        assert!(client.is_over());
    }
    let start = Instant::now();
    let (code, said) = server.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("6 requests answered, 0 refused; 15 samples"), "{said}");
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_server_that_waits_for_nobody_ends_at_once_and_frees_its_port() {
    let server = Server::start(runs(), "rows", &[]);
    let port = server.address.port().to_string();
    // Meanwhile nobody else gets the port.
    let second = runs().nnc(&["serve", "rows", "--port", &port]);
    let error = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(2), "{error}");
    assert!(error.contains("cannot listen on 127.0.0.1") && error.contains("--port"), "{error}");
    server.interrupt();
    let (code, said) = server.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("0 requests answered, 0 refused; 0 samples in 0 steps"), "{said}");
    for wrong in [["--port", "70000"], ["--host", "nowhere"], ["--batch", "0"], ["--timeout", "0"]]
    {
        let args = [&["serve", "rows"], &wrong[..]].concat();
        assert_eq!(runs().nnc(&args).status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(runs().nnc(&["serve", "nothing"]).status.code(), Some(2));
}
