//! A page in headless Chromium, which is asked over a pipe (`--remote-debugging-pipe`), in its DevTools
//! protocol: objects of JSON with a zero byte behind each. Where there is no Chromium the tests say so and
//! pass, unless `NNC_REQUIRE_CHROMIUM` is set; `NNC_CHROMIUM` names another browser of its kind.

#![allow(dead_code)] // Each test crate uses its own part.

use crate::folder::Folder;
use serde_json::{Value, json};
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The program, if there is one.
pub fn chromium() -> Option<String> {
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
pub struct Browser {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    session: Value,
    number: u64,
    /// Its profile.
    _folder: Folder,
}

impl Browser {
    pub fn open(program: &str, url: &str) -> Browser {
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
    pub fn call(&mut self, method: &str, params: Value) -> Value {
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
    pub fn value(&mut self, script: &str) -> Value {
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
    await waited(() => document.readyState === 'complete' && location.protocol === 'http:');";
