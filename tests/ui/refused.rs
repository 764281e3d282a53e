//! Who gets no answer: without the token, by another name of this machine, with another method, on paths
//! that lead elsewhere.

use crate::server::Ui;
use crate::{row, trained};

const HOST: &str = "Host: 127.0.0.1";

#[test]
fn nothing_is_answered_without_the_token() {
    let ui = Ui::start(trained(), &["runs"]);
    let token = ui.path.trim_matches('/').to_owned();
    assert_eq!(token.len(), 32, "128 bits");
    let other = Ui::start(trained(), &["runs"]);
    assert_ne!(other.path, ui.path, "each server has its own");
    let flipped = token.replace(token.chars().next().expect("a digit"), "x");
    for path in [
        "/".to_owned(),
        "/updates".to_owned(),
        "/app.js".to_owned(),
        format!("/{flipped}/"),
        format!("/{}/", &token[..31]),
        format!("/{token}0/"),
        format!("/{}/", token.to_uppercase().replace(|c: char| c.is_ascii_digit(), "A")),
        format!("//{token}/"),
        format!("/?token={token}"),
        other.path.clone(),
    ] {
        let answer = ui.raw(&format!("GET {path} HTTP/1.1\r\n{HOST}")).expect("an answer");
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.error().contains("token"), "{answer:?}");
        assert!(!answer.head.contains(&token) && !answer.error().contains(&token));
    }
    assert_eq!(ui.get("").status, 200);
    assert_eq!(ui.raw(&format!("GET /{token} HTTP/1.1\r\n{HOST}")).expect("an answer").status, 200);
}

#[test]
fn another_host_is_refused_even_with_the_token() {
    let ui = Ui::start(trained(), &["runs"]);
    let path = &ui.path;
    for host in ["evil.example", "localhost.evil.example", "10.0.0.1", "evil.example:80"] {
        let answer = ui.raw(&format!("GET {path} HTTP/1.1\r\nHost: {host}")).expect("an answer");
        assert_eq!(answer.status, 403, "{host}");
    }
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        let answer = ui.raw(&format!("GET {path} HTTP/1.1\r\nHost: {host}")).expect("an answer");
        assert_eq!(answer.status, 200, "{host}");
    }
    let answer = ui.raw(&format!("GET {path} HTTP/1.1")).expect("an answer");
    assert_eq!(answer.status, 400, "no host");
    let answer = ui.raw(&format!("GET {path} HTTP/1.1\r\n{HOST}\r\nHost: evil.example"));
    assert_eq!(answer.expect("an answer").status, 400, "two hosts");
}

#[test]
fn only_get_and_paths_of_the_page_are_answered() {
    let ui = Ui::start(trained(), &["runs"]);
    let path = &ui.path;
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = ui.raw(&format!("{method} {path} HTTP/1.1\r\n{HOST}")).expect("an answer");
        assert_eq!((answer.status, answer.header("Allow")), (405, Some("GET, HEAD")), "{method}");
    }
    let head = ui.raw(&format!("GET {path} HTTP/1.1\r\n{HOST}\r\nContent-Length: 5"));
    assert_eq!(head.expect("an answer").status, 413, "a body");
    let all = ui.updates(0, "");
    let id = row(&all, "first")["id"].as_str().expect("an id");
    for wrong in [
        "..".to_owned(),
        "../".to_owned(),
        "../../etc/passwd".to_owned(),
        "%2e%2e/%2e%2e/etc/passwd".to_owned(),
        "run/..".to_owned(),
        "run/first".to_owned(),
        "run/group/second".to_owned(),
        "run/../first/report.html".to_owned(),
        "run/..%2ffirst".to_owned(),
        format!("run/{id}/"),
        format!("run/{id}/../../run.json"),
        format!("run/{id}/run.json"),
        "run/000000000000".to_owned(),
        "page.css/../app.js".to_owned(),
        "runs/first/run.json".to_owned(),
        "/etc/passwd".to_owned(),
    ] {
        assert_eq!(ui.get(&wrong).status, 404, "{wrong}");
    }
    for wrong in ["since=x", "curves=../x.1.1", "curves=first.0.0", "path=/etc/passwd", "since"] {
        assert_eq!(ui.get(&format!("updates?{wrong}")).status, 400, "{wrong}");
    }
    assert_eq!(ui.updates(0, "000000000000.0.0").get("curves"), None, "there is no such run");
}

#[test]
fn the_page_may_load_its_own_parts_alone() {
    let ui = Ui::start(trained(), &["runs"]);
    let page = ui.get("");
    let policy = page.header("Content-Security-Policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("Referrer-Policy"), Some("no-referrer"), "the address has the token");
    assert_eq!(page.header("X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(page.header("Cache-Control"), Some("no-store"));
    for (part, kind) in [("app.js", "text/javascript"), ("page.css", "text/css")] {
        let answer = ui.get(part);
        assert!(answer.header("Content-Type").is_some_and(|it| it.starts_with(kind)), "{part}");
        let text = String::from_utf8(answer.body).expect("text");
        assert!(
            !text.contains("http://") && !text.contains("https://"),
            "{part} names another place"
        );
    }
}
