//! Every endpoint, for images, rows and texts.

use crate::{Server, client, images, pixels, runs};
use serde_json::{Value, json};
use std::io::Read;

/// The objects that `nnc predict --json` prints about a file.
fn predicted(run: &str, file: &str, bytes: &[u8], more: &[&str]) -> Vec<Value> {
    runs().write(file, bytes);
    runs().json(&[&["predict", run, file, "--json"], more].concat())
}

/// The same answers as those of a server, whose samples are called by the body.
fn same(answers: &Value, predicted: &[Value], file: &str) {
    let answers = answers["answers"].as_array().expect("answers");
    assert_eq!(answers.len(), predicted.len());
    for (answer, predicted) in answers.iter().zip(predicted) {
        let mut predicted = predicted.clone();
        let object = predicted.as_object_mut().expect("an object");
        let name = object.remove("file").expect("a name");
        let name = name.as_str().expect("a name").replacen(file, "body", 1);
        object.insert("sample".to_owned(), json!(name));
        assert_eq!(*answer, predicted);
    }
}

pub fn png(number: usize) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let image = image::GrayImage::from_raw(28, 28, pixels(number)).expect("28 × 28 pixels");
    image.write_to(&mut bytes, image::ImageFormat::Png).expect("a picture");
    bytes.into_inner()
}

#[test]
fn the_protocol_describes_the_server_and_the_model() {
    let server = Server::start(runs(), "images", &[]);
    let get = |path: &str| server.json("GET", path, b"");
    assert_eq!(get("/v2")["name"], "nnc");
    assert_eq!(get("/v2")["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(get("/v2/health/live"), json!({ "live": true }));
    assert_eq!(get("/v2/health/ready"), json!({ "ready": true }));
    assert_eq!(get("/v2/models/net/ready"), json!({ "name": "net", "ready": true }));
    assert_eq!(
        get("/v2/models/net"),
        json!({
            "name": "net",
            "platform": "nnc",
            "inputs": [{ "name": "image", "datatype": "UINT8", "shape": [-1, 28, 28, 1] }],
            "outputs": [{ "name": "output", "datatype": "FP32", "shape": [-1, 10] }],
        })
    );
    let mut client = server.connect();
    client.write(b"HEAD /v2 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut head = String::new();
    client.stream.read_to_string(&mut head).expect("a head");
    let length = server.ask("GET", "/v2", b"").body.len();
    assert!(head.contains(&format!("\r\nContent-Length: {length}\r\n")), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "no body comes: {head}");
}

#[test]
fn outputs_of_tensors_are_those_of_predict_raw() {
    let server = Server::start(runs(), "images", &[]);
    let rows: String = (0..3)
        .map(|number| pixels(number).iter().map(u8::to_string).collect::<Vec<_>>().join(",") + "\n")
        .collect();
    predicted("images", "raw.csv", rows.as_bytes(), &["--raw", "raw.safetensors"]);
    let raw = std::fs::read(runs().path("raw.safetensors")).expect("outputs");
    let raw = safetensors::SafeTensors::deserialize(&raw).expect("outputs");
    let raw = raw.tensor("output").expect("the output").data().to_vec();
    let raw: Vec<u32> =
        raw.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
    let mut request = images(&[0, 1, 2]);
    request["id"] = json!("a name");
    request["parameters"] = json!({ "any": [1, { "more": null }] });
    request["outputs"] = json!([{ "name": "output" }]);
    let answer = server.json("POST", "/v2/models/net/infer", request.to_string().as_bytes());
    assert_eq!((&answer["id"], &answer["model_name"]), (&json!("a name"), &json!("net")));
    assert_eq!(answer["outputs"][0]["shape"], json!([3, 10]));
    assert_eq!(answer["outputs"][0]["datatype"], "FP32");
    assert_eq!(client::outputs(&answer), raw);
    // Lists in lists, of another whole type.
    let rows: Vec<Value> = (0..3)
        .map(|number| {
            let pixels = pixels(number);
            json!(
                pixels
                    .chunks(28)
                    .map(|row| row.iter().map(|it| [it]).collect())
                    .collect::<Vec<Vec<_>>>()
            )
        })
        .collect();
    let input =
        json!({ "name": "image", "shape": [3, 28, 28, 1], "datatype": "INT64", "data": rows });
    assert_eq!(server.outputs("net", &json!({ "inputs": [input] })), raw);
}

#[test]
fn images_are_predicted_from_their_bytes_and_from_numbers() {
    let server = Server::start(runs(), "images", &[]);
    let picture = png(5);
    let known = predicted("images", "a.png", &picture, &["--top", "3"]);
    same(&server.json("POST", "/predict?top=3", &picture), &known, "a.png");
    let row = pixels(5).iter().map(u8::to_string).collect::<Vec<_>>().join(",");
    let two = format!("{row}\n{row}\n");
    let known = predicted("images", "a.csv", two.as_bytes(), &[]);
    same(&server.json("POST", "/predict", two.as_bytes()), &known, "a.csv");
    assert_eq!(server.ask("POST", "/predict", &picture[..100]).status, 400);
}

#[test]
fn rows_are_predicted_in_the_units_of_the_table() {
    let server = Server::start(runs(), "rows", &[]);
    let table = b"a,kind\n10,u\n7,w\n20,v\n";
    runs().write("new.csv", table);
    let answers = server.json("POST", "/predict", table);
    let said = runs().nnc(&["predict", "rows", "new.csv", "--json"]).stdout;
    let said = String::from_utf8(said).expect("text");
    let known: Vec<Value> =
        said.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    same(&answers, &known, "new.csv");
    let value = answers["answers"][0]["output"][0].as_f64().expect("a number");
    assert!((value - 31.0).abs() < 5.0, "in the units of the file: {answers}");
    assert_eq!(answers["answers"][0]["names"], json!(["y"]));
    let wrong = answers["answers"][1]["error"].as_str().expect("a reason");
    assert!(wrong.contains("`w` of `kind` is in no row to train on"), "{wrong}");
    // By the protocol: what a step gets.
    let inputs = |kind: i64| {
        json!({ "inputs": [
            { "name": "a", "shape": [2], "datatype": "FP32", "data": [0.5, -1] },
            { "name": "kind", "shape": [2], "datatype": "INT64", "data": [0, kind] },
        ] })
    };
    assert_eq!(server.outputs("net", &inputs(1)).len(), 2);
    let beyond = inputs(7).to_string();
    let answer = server.ask("POST", "/v2/models/net/infer", beyond.as_bytes());
    assert_eq!(answer.status, 400);
    assert!(answer.error().contains("sample 1: "), "{}", answer.error());
    assert_eq!(server.outputs("net", &inputs(1)).len(), 2, "others are answered");
}

#[test]
fn texts_are_predicted_line_by_line() {
    let server = Server::start(runs(), "text", &[]);
    let lines = b"one two\n\nbuckle my shoe and knock\n";
    let known = predicted("text", "lines.txt", lines, &["--top", "2"]);
    assert!(known.len() > 2, "a long line has several samples");
    same(&server.json("POST", "/predict?top=2", lines), &known, "lines.txt");
}

#[test]
fn the_page_says_what_it_takes() {
    for (run, words) in [("images", "an image"), ("rows", "a,kind"), ("text", "a text")] {
        let server = Server::start(runs(), run, &[]);
        let page = server.ask("GET", "/", b"");
        let text = String::from_utf8(page.body).expect("text");
        assert!(text.contains(words) && text.contains("<h1>net</h1>"), "{text}");
        assert!(page.head.contains("script-src 'self'"), "{}", page.head);
        let files = [("/page.js", "text/javascript"), ("/page.css", "text/css")];
        for (path, kind) in files {
            let file = server.ask("GET", path, b"");
            assert!(text.contains(path) && file.head.contains(kind), "{path}: {}", file.head);
        }
    }
}
