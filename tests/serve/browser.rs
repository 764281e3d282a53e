//! The page in headless Chromium: an image that is dropped gets its answer, a row that is written too.
//!
//! Chromium is asked over a pipe (`--remote-debugging-pipe`), in its DevTools protocol: objects of JSON
//! with a zero byte behind each. Where there is none the tests say so and pass, unless
//! `NNC_REQUIRE_CHROMIUM` is set; `NNC_CHROMIUM` names another browser of its kind.

use crate::endpoints::png;
use crate::{Folder, Server, runs};
use base64::Engine;
use serde_json::{Value, json};
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The program, if there is one.
fn chromium() -> Option<String> {
    let named = env::var("NNC_CHROMIUM").ok();
    let known = ["chromium", "chromium-browser", "google-chrome"].map(str::to_owned);
    let there = |name: &String| {
        Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
    };
    let found = named.into_iter().chain(known).find(there);
    let required = env::var_os("NNC_REQUIRE_CHROMIUM").is_some();
    assert!(found.is_some() || !required, "NNC_REQUIRE_CHROMIUM is set, and there is no Chromium");
    if found.is_none() {
        println!("skipped: there is no Chromium");
    }
    found
}

/// A browser with a page.
struct Browser {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    session: Value,
    number: u64,
    /// Its profile.
    _folder: Folder,
}

impl Browser {
    fn open(program: &str, url: &str) -> Browser {
        let folder = Folder::new(&[]);
        let profile = format!("--user-data-dir={}", folder.0.path().display());
        let mut command = Command::new("sh");
        // It reads from its third file and writes to the fourth.
        command.args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 0</dev/null 1>&2", program]);
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
        command.args(["--no-first-run", "--remote-debugging-pipe", &profile, "about:blank"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("a shell");
        let commands = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let (session, number) = (Value::Null, 0);
        let mut browser = Browser { child, commands, answers, session, number, _folder: folder };
        let target = browser.call("Target.createTarget", json!({ "url": url }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        browser.session = browser.call("Target.attachToTarget", attach)["sessionId"].take();
        browser
    }

    /// Calls a method that must succeed, and waits for its result.
    #[track_caller]
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    fn try_call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": params });
        if self.session.is_string() {
            message["sessionId"] = self.session.clone();
        }
        self.commands.write_all(format!("{message}\0").as_bytes()).expect("it reads");
        loop {
            let mut bytes = Vec::new();
            self.answers.read_until(0, &mut bytes).expect("it answers");
            assert_eq!(bytes.pop(), Some(0), "the browser has ended");
            let mut answer: Value = serde_json::from_slice(&bytes).expect("an object");
            if answer["id"] == self.number {
                return match answer.get_mut("error") {
                    Some(error) => Err(error.take()),
                    None => Ok(answer["result"].take()),
                };
            }
        }
    }

    /// The value of a script's promise.
    #[track_caller]
    fn value(&mut self, script: &str) -> Value {
        let expression = format!("(async () => {{ {WAITING} {script} }})()");
        let params =
            json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        // The empty page before this one goes away while its script waits.
        let mut result = (0..10)
            .find_map(|_| self.try_call("Runtime.evaluate", params.clone()).ok())
            .expect("a page");
        assert!(result.get("exceptionDetails").is_none(), "{result}");
        result["result"]["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits, for ten seconds at most, for what a function gives.
const WAITING: &str = "
    const waited = async (what) => {
        for (let i = 0; i < 200; i++) {
            const value = what();
            if (value) return value;
            await new Promise((done) => setTimeout(done, 50));
        }
        throw new Error('waited in vain for ' + what + ': ' + document.documentElement.outerHTML);
    };
    await waited(() => document.readyState === 'complete' && document.getElementById('drop'));
    const articles = (count) => waited(() => {
        const all = [...document.querySelectorAll('#answers article')];
        return all.length >= count && all.map((it) => it.innerText);
    });";

/// Drops a file on the page.
fn dropping(bytes: &[u8], name: &str) -> String {
    let bytes = base64::engine::general_purpose::STANDARD.encode(bytes);
    format!(
        "const bytes = Uint8Array.from(atob('{bytes}'), (it) => it.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], '{name}', {{ type: 'image/png' }}));
        const event = new DragEvent('drop', {{ dataTransfer: transfer, bubbles: true, cancelable: true }});
        document.getElementById('drop').dispatchEvent(event);"
    )
}

#[test]
fn an_image_that_is_dropped_gets_its_answer() {
    let Some(program) = chromium() else { return };
    let server = Server::start(runs(), "images", &[]);
    let mut browser = Browser::open(&program, &format!("http://{}/", server.address));
    runs().write("seven.png", &png(7));
    let known = runs().json(&["predict", "images", "seven.png", "--json"]).remove(0);
    let class = known["top"][0]["class"].as_str().expect("a class");
    let percent = 100.0 * known["top"][0]["probability"].as_f64().expect("a number");
    let script = dropping(&png(7), "seven.png")
        + "const said = await articles(1);
        const image = document.getElementById('preview');
        await waited(() => image.naturalWidth === 28 && !image.hidden);
        const style = getComputedStyle(document.getElementById('drop')).borderStyle;
        return [said[0], style, document.querySelectorAll('progress').length];";
    let said = browser.value(&script);
    let text = said[0].as_str().expect("a text");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "seven.png", "{text}");
    assert!(lines[1].starts_with(&format!("{class}\t")), "{text}");
    assert!(lines[1].ends_with(&format!("\t{percent:.2} %")), "{percent}: {text}");
    assert_eq!((&said[1], &said[2]), (&json!("dashed"), &json!(5)), "its style, and five bars");
    // What is none is told, as text and not as markup.
    let wrong = dropping(b"<b>no image</b>", "<b>.png");
    let said = browser.value(&format!(
        "{wrong} return await waited(() => document.querySelector('#answers .error')?.innerText);"
    ));
    assert!(said.as_str().expect("a text").contains("not an image"), "{said}");
    let name = browser.value("return document.querySelector('#answers h2').innerText;");
    assert_eq!(name, "<b>.png");
}

#[test]
fn rows_that_are_written_get_their_answers() {
    let Some(program) = chromium() else { return };
    let server = Server::start(runs(), "rows", &[]);
    let mut browser = Browser::open(&program, &format!("http://{}/", server.address));
    let said = browser.value(
        "const field = document.getElementById('text');
        const header = field.value;
        field.value += '10,u\\n7,w\\n';
        document.querySelector('button').click();
        return [header, ...await articles(2)];",
    );
    assert_eq!(said[0], "a,kind\n");
    runs().write("one.csv", b"a,kind\n10,u\n");
    let answers = runs().json(&["predict", "rows", "one.csv", "--json"]);
    let value = answers[0]["output"][0].as_f64().expect("a number");
    let first = said[1].as_str().expect("a text");
    assert!(first.contains(&format!("y\t{value}")), "{value}: {said}");
    assert!(said[2].as_str().expect("a text").contains("`w` of `kind`"), "{said}");
}
