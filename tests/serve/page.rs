//! The page in headless Chromium: an image that is dropped gets its answer, a row that is written too.

use crate::browser::{Browser, chromium};
use crate::endpoints::png;
use crate::{Server, runs};
use base64::Engine;
use serde_json::json;

/// Waits for the answers on the page.
const ARTICLES: &str = "
    await waited(() => document.getElementById('drop'));
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
    let script = ARTICLES.to_owned()
        + &dropping(&png(7), "seven.png")
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
    let said = browser.value(&format!(
        "{ARTICLES}
        const field = document.getElementById('text');
        const header = field.value;
        field.value += '10,u\\n7,w\\n';
        document.querySelector('button').click();
        return [header, ...await articles(2)];"
    ));
    assert_eq!(said[0], "a,kind\n");
    runs().write("one.csv", b"a,kind\n10,u\n");
    let answers = runs().json(&["predict", "rows", "one.csv", "--json"]);
    let value = answers[0]["output"][0].as_f64().expect("a number");
    let first = said[1].as_str().expect("a text");
    assert!(first.contains(&format!("y\t{value}")), "{value}: {said}");
    assert!(said[2].as_str().expect("a text").contains("`w` of `kind`"), "{said}");
}
