//! The page in headless Chromium: runs are filtered, chosen by keyboard and compared, and epochs appear
//! without the page being loaded again.

use crate::browser::{Browser, chromium};
use crate::server::Ui;
use crate::{Folder, trained};
use serde_json::{Value, json};
use std::fs;
use std::io::Write;

/// Runs as files alone, so that the test says when an epoch ends.
fn made(count: usize) -> Folder {
    let folder = Folder::new(&[("net.nn", b"")]);
    let text = fs::read_to_string(trained().path("runs/first/run.json")).expect("a file");
    let program = fs::read(trained().path("runs/first/program/net.nn")).expect("a file");
    let program = String::from_utf8(program).expect("text");
    for number in 0..count {
        let mut info: Value = serde_json::from_str(&text).expect("JSON");
        info["started"] = json!(1_700_000_000 + 60 * number);
        let name = format!("runs/net-{number}");
        folder.write(&format!("{name}/run.json"), info.to_string().as_bytes());
        let program = program.replace("lr: 1e-2", &format!("lr: {number}e-3"));
        folder.write(&format!("{name}/program/net.nn"), program.as_bytes());
        let lines: String = (1..=3).map(|epoch| line(epoch, number)).collect();
        folder.write(&format!("{name}/events.jsonl"), lines.as_bytes());
    }
    folder
}

fn line(epoch: usize, number: usize) -> String {
    let loss = 2.0 / (epoch + number) as f64;
    let event = json!({
        "event": "epoch", "epoch": epoch, "train_loss": loss, "val_loss": 1.5 * loss,
        "train_accuracy": 1.0 - loss / 4.0, "val_accuracy": 1.0 - loss / 3.0, "lr": 0.01, "seconds": 1,
    });
    format!("{event}\n")
}

/// Words of rows, and keys as a user presses them.
const STEPS: &str = "
    const rows = () => [...document.querySelectorAll('#runs tbody tr')];
    const named = (name) => rows().find((row) => row.querySelector('.name').textContent === name);
    const search = async (text) => {
        const field = document.getElementById('search');
        field.value = text;
        field.dispatchEvent(new InputEvent('input', { bubbles: true }));
        return rows().length;
    };
    const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
    await waited(() => rows().length > 0 && /^(live|nnc)/.test(document.getElementById('live').textContent));";

#[test]
fn runs_are_found_chosen_and_compared() {
    let Some(program) = chromium() else { return };
    let folder = made(300);
    let ui = Ui::start(&folder, &["runs"]);
    let mut browser = Browser::open(&program, &ui.url);
    let said = browser.value(&format!(
        "{STEPS}
        const all = rows().length;
        const first = rows()[0].querySelector('.name').textContent;
        const found = await search('net-7 LR=7e-3');
        const none = await search('net-7 lr=8e-3');
        await search('net-29');
        return [all, first, found, none, rows().length, document.getElementById('count').textContent];"
    ));
    // 29 and 290 to 299.
    assert_eq!(said, json!([300, "net-299", 1, 0, 11, "11 of 300 runs"]), "newest first");
    let said = browser.value(&format!(
        "{STEPS}
        const box = (name) => named(name).querySelector('input');
        box('net-290').focus();
        box('net-290').click();
        press('ArrowUp');
        const focused = document.activeElement === box('net-291');
        document.activeElement.click();
        const figures = await waited(() => {{
            const all = [...document.querySelectorAll('#charts figure')];
            return all.length === 3 && all.every((it) => it.querySelector('path.curve')) && all;
        }});
        const loss = figures[0].querySelector('svg');
        loss.focus();
        press('End');
        press('ArrowLeft');
        const told = figures[0].querySelector('[role=status]').textContent;
        const settings = [...document.querySelectorAll('#tables tbody:last-child tr')].map((row) => row.innerText.trim());
        const changed = await waited(() => document.querySelector('#programs del') &&
            [...document.querySelectorAll('#programs del, #programs ins')].map((it) => it.textContent.trim()));
        return [focused, figures.map((it) => it.querySelector('figcaption').textContent),
            loss.querySelectorAll('path.curve').length, loss.getAttribute('aria-label'), told, settings, location.hash, changed];"
    ));
    assert_eq!(said[0], true, "arrows go from run to run");
    assert_eq!(said[1], json!(["loss", "accuracy", "lr"]), "{said}");
    assert_eq!(said[2], 4, "training and validation of both");
    let (label, told) = (said[3].as_str().expect("words"), said[4].as_str().expect("words"));
    assert!(
        label.starts_with("loss. net-290, validation: from 0.01031 to 0.01024 in 3 epochs"),
        "{label}"
    );
    assert!(told.starts_with("epoch 2. net-290, validation: 0.01027"), "{told}");
    let settings = said[5].as_array().expect("rows");
    assert_eq!(settings.len(), 2, "{said}");
    assert_eq!(settings[0], "Settings that differ");
    assert_eq!(settings[1], "optimizer.lr\t290e-3\t291e-3", "{said}");
    let lines = ["- optimizer = adam(lr: 290e-3)", "+ optimizer = adam(lr: 291e-3)"];
    let changed = said[7].as_array().expect("lines").iter();
    let changed: Vec<String> = changed
        .map(|line| line.as_str().expect("a line").split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(changed, lines);
    assert!(said[6].as_str().expect("an address").contains("q=net-29&runs="), "{said}");
}

#[test]
fn epochs_appear_without_loading_the_page_again() {
    let Some(program) = chromium() else { return };
    let folder = made(2);
    let ui = Ui::start(&folder, &["runs"]);
    let mut browser = Browser::open(&program, &ui.url);
    let said = browser.value(&format!(
        "{STEPS}
        window.mark = 'the same page';
        named('net-1').querySelector('input').click();
        const label = await waited(() => document.querySelector('#charts svg[aria-label*=\"in 3 epochs\"]')?.getAttribute('aria-label'));
        return [label, named('net-1').cells[2].textContent];"
    ));
    assert_eq!(said[1], "3 / 3", "{said}");
    let path = folder.path("runs/net-1/events.jsonl");
    let mut log = fs::OpenOptions::new().append(true).open(path).expect("a log");
    log.write_all(line(4, 1).as_bytes()).expect("it is written");
    fs::remove_dir_all(folder.path("runs/net-0")).expect("it goes");
    let said = browser.value(&format!(
        "{STEPS}
        const label = await waited(() => document.querySelector('#charts svg[aria-label*=\"in 4 epochs\"]')?.getAttribute('aria-label'));
        await waited(() => !named('net-0'));
        const places = performance.getEntriesByType('resource').map((it) => new URL(it.name).host);
        return [window.mark, label, named('net-1').cells[2].textContent, [...new Set(places)]];"
    ));
    assert_eq!(said[0], "the same page");
    assert!(said[1].as_str().expect("words").contains("from 1.500 to 0.6000"), "{said}");
    assert_eq!(said[2], "4 / 3");
    assert_eq!(said[3], json!([ui.address.to_string()]), "nothing is loaded from elsewhere");
    // The server ends: the page says so, and keeps what it knows.
    ui.interrupt();
    let said = browser.value(&format!(
        "{STEPS}
        const lost = await waited(() => document.querySelector('#live.lost')?.textContent);
        return [lost, rows().length];"
    ));
    assert_eq!(said, json!(["nnc ui has ended; this is what it knew last", 1]));
    assert_eq!(ui.end(), Some(0));
}
