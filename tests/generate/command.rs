//! `nnc generate` as it is typed.

#[path = "../support/folder.rs"]
mod folder;
#[path = "../support/tone.rs"]
mod tone;

use folder::Folder;
use tone::tone;

const PROGRAM: &str = "data rhyme = text(\"rhyme.txt\", tokens: TOKENS, window: 12, stride: 3)
model net(tokens: i32[N, 12]) -> f32[N, 12, KINDS] {
    tokens |> embedding(KINDS, 16) |> BODY |> dense(KINDS)
}
train net on rhyme {
    loss      = cross_entropy
    optimizer = adam(lr: 1e-2)
    epochs    = 3
    batch     = 16
}
";

const ATTENTION: &str = "positions |> attention(4, causal: true) |> layer_norm";

fn rhyme() -> String {
    "one two buckle my shoe\nthree four knock at the door\n".repeat(40)
}

/// A folder with a trained model of this body, whose data are gone.
fn trained(tokens: &str, kinds: usize, body: &str) -> Folder {
    let program = PROGRAM.replace("TOKENS", tokens).replace("BODY", body);
    let program = program.replace("KINDS", &kinds.to_string());
    let folder = Folder::new(&[("net.nn", program.as_bytes()), ("rhyme.txt", rhyme().as_bytes())]);
    folder.good(&["run", "net.nn"]);
    std::fs::remove_file(folder.path("rhyme.txt")).expect("the text");
    folder
}

fn generate(folder: &Folder, more: &[&str]) -> String {
    folder
        .good(&[&["generate", "runs/net", "--prompt", "one two", "--tokens", "40"], more].concat())
}

#[test]
fn the_same_seed_gives_the_same_text_however_it_is_computed() {
    let folder = trained("chars", 24, ATTENTION);
    let text = generate(&folder, &[]);
    assert!(text.starts_with("one two") && text.ends_with('\n'), "{text:?}");
    assert!((47..=48).contains(&text.chars().count()), "{text:?}");
    assert_eq!(generate(&folder, &["--threads", "1"]), text);
    assert_eq!(generate(&folder, &["--threads", "3", "--seed", "0"]), text);
    assert_ne!(generate(&folder, &["--seed", "1"]), text);
    // Until the window is full, no position is left out.
    let whole = generate(&folder, &["--full-window"]);
    assert_eq!(whole[..12], text[..12]);
    let greedy = generate(&folder, &["--temperature", "0"]);
    assert_eq!(generate(&folder, &["--temperature", "0", "--seed", "9"]), greedy);
    assert_eq!(generate(&folder, &["--top-k", "1"]), greedy);
    assert_eq!(generate(&folder, &["--top-p", "1e-9"]), greedy);
    // A program with its weights is the same model.
    let weights = ["generate", "net.nn", "--weights", "runs/net/best.safetensors"];
    let again = [&weights[..], &["--prompt", "one two", "--tokens", "40"]].concat();
    folder.write("rhyme.txt", rhyme().as_bytes());
    assert_eq!(folder.good(&again), text);
}

#[test]
fn tokens_come_as_json_and_prompts_from_files() {
    for (tokens, kinds) in [("chars", 24), ("bytes", 256), ("words", 40), ("bpe(size: 300)", 300)] {
        let folder = trained(tokens, kinds, "gru(16)");
        let text = generate(&folder, &["--top-p", "0.9"]);
        let prompt = ["generate", "runs/net", "--prompt", "one two", "--tokens", "40"];
        let made = folder.json(&[&prompt[..], &["--top-p", "0.9", "--json"]].concat());
        assert_eq!(made.len(), 40, "{tokens}");
        let pieces: String = made.iter().map(|it| it["text"].as_str().expect("a text")).collect();
        assert_eq!(format!("one two{pieces}").trim_end(), text.trim_end(), "{tokens}");
        assert!(made.iter().all(|it| {
            let probability = it["probability"].as_f64().expect("a number");
            probability > 0.0 && probability <= 1.0 && it["token"].is_u64()
        }));
        folder.write("prompt.txt", b"one two");
        let more = ["--tokens", "40", "--top-p", "0.9"];
        let from = ["generate", "runs/net", "--prompt-file"];
        assert_eq!(folder.good(&[&from[..], &["prompt.txt"], &more].concat()), text);
        let piped = folder.good_with_input(&[&from[..], &["-"], &more].concat(), b"one two");
        assert_eq!(piped, text);
    }
}

#[test]
fn a_prompt_has_known_characters_and_may_be_long() {
    let folder = trained("chars", 24, ATTENTION);
    let asked = |prompt: &str, more: &[&str]| {
        let args = ["generate", "runs/net", "--tokens", "3", "--prompt", prompt];
        let output = folder.nnc(&[&args[..], more].concat());
        let [out, error] =
            [output.stdout, output.stderr].map(|it| String::from_utf8(it).expect("text"));
        (output.status.code(), out, error)
    };
    let (code, out, error) = asked("ONE Zwölf", &[]);
    assert_eq!((code, &out[..]), (Some(1), ""));
    assert!(error.contains("had no `O`, `N`, `E`, `Z`, `ö`, which"), "{error}");
    assert!(error.contains("--unknown skip"), "{error}");
    let (code, _, error) = asked("ONE two", &["--unknown", "skip"]);
    assert_eq!(code, Some(0), "{error}");
    for empty in ["", "ZZ"] {
        let (code, _, error) = asked(empty, &["--unknown", "skip"]);
        assert!(code == Some(1) && error.contains("the prompt is empty"), "{error}");
    }
    let (code, out, error) = asked(&"one two ".repeat(5), &[]);
    assert!(code == Some(0) && out.starts_with("one two one"), "{error}");
    assert!(error.contains("has 40 tokens, and the model was trained to look at 12"), "{error}");
    for (option, value) in [("--temperature", "-1"), ("--top-k", "0"), ("--top-p", "1.5")] {
        assert_eq!(asked("one", &[option, value]).0, Some(2), "{option}");
    }
    let without = folder.nnc(&["generate", "runs/net"]);
    let error = String::from_utf8_lossy(&without.stderr).into_owned();
    assert!(without.status.code() == Some(2) && error.contains("give one, `--prompt"), "{error}");
    let sound = folder.nnc(&["generate", "runs/net", "--prompt", "one", "--output", "a.wav"]);
    assert_eq!(sound.status.code(), Some(2), "a text is printed");
}

#[test]
fn a_model_that_sees_what_comes_is_refused_at_its_place() {
    let folder = trained("chars", 24, "attention(4)");
    let error = folder.bad(&["generate", "runs/net", "--prompt", "one"]);
    assert!(error.contains("net.nn:3:") && error.contains("causal: true"), "{error}");
}

#[test]
fn where_positions_cannot_be_computed_one_by_one_windows_are() {
    let late = "late |> attention(4, causal: true)";
    let program = PROGRAM.replace("TOKENS", "chars").replace("KINDS", "24").replace("BODY", late);
    // Each position gets the one before it: causal, but not by the rules that are known.
    let layer = "layer late(x: f32[N, T, D]) -> f32[N, T, D] {
        pad(x, [[0, 0], [1, 0], [0, 0]])[:, :12]
    }\n";
    let folder = Folder::new(&[
        ("net.nn", format!("{layer}{program}").as_bytes()),
        ("rhyme.txt", rhyme().as_bytes()),
    ]);
    folder.good(&["run", "net.nn"]);
    let args = ["generate", "runs/net", "--prompt", "one two", "--tokens", "20"];
    let output = folder.nnc(&args);
    let error = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{error}");
    assert!(error.contains("each token is computed from a whole window"), "{error}");
}

#[test]
fn what_has_no_text_is_refused() {
    let rows: String = (0..60).map(|row| format!("{row},{}\n", row % 2)).collect();
    let program = "data rows = csv(\"rows.csv\") {
    a = number |> standardize
    b = category as target
}
model net(a: f32[N]) -> f32[N, 2] { reshape(a, [N, 1]) |> dense(2) }
train net on rows {
    loss      = cross_entropy
    optimizer = sgd(lr: 0.1)
    epochs    = 1
    batch     = 8
}
";
    let folder = Folder::new(&[
        ("net.nn", program.as_bytes()),
        ("rows.csv", format!("a,b\n{rows}").as_bytes()),
    ]);
    folder.good(&["run", "net.nn"]);
    let error = folder.bad(&["generate", "runs/net", "--prompt", "one"]);
    assert!(error.contains("does not go on with a text") && error.contains("f32[N, 2]"), "{error}");
    let error = folder.nnc(&["generate", "runs/none", "--prompt", "one"]);
    assert_eq!(error.status.code(), Some(2));
}

const SOUND: &str =
    "data tones = waves(\"tones\", rate: 1000, window: 64, stride: 32, levels: 32, test: 0.25)
model net(levels: i32[N, 64]) -> f32[N, 64, 32] {
    levels |> embedding(32, 24)
        |> repeat i in 0..3 { conv(24, 2, dilation: 2 ^ i, pad: [[2 ^ i, 0]]) |> relu }
        |> dense(32)
}
train net on tones {
    loss      = cross_entropy
    optimizer = adam(lr: 1e-2)
    epochs    = 3
    batch     = 8
}
";

/// Half a second of each of three tones; the second is shorter than a window.
fn trained_on_tones() -> Folder {
    let folder = Folder::new(&[("net.nn", SOUND.as_bytes())]);
    for (name, hertz, seconds) in [("a", 40.0, 0.5), ("b/b", 60.0, 0.05), ("b/c", 90.0, 0.5)] {
        folder.write(&format!("tones/{name}.wav"), &tone(1000, hertz, seconds));
    }
    folder.write("tones/d.wav", &tone(2000, 50.0, 0.5));
    let said = folder.good(&["data", "net.nn"]);
    assert!(said.contains("32 levels of loudness, 1000 a second"), "{said}");
    folder.good(&["run", "net.nn", "--quiet"]);
    folder
}

#[test]
fn a_sound_goes_on_from_silence_or_from_a_recording() {
    let folder = trained_on_tones();
    let made = |more: &[&str]| {
        let args = ["generate", "runs/net", "--tokens", "300", "--output", "out.wav"];
        folder.good(&[&args[..], more].concat());
        std::fs::read(folder.path("out.wav")).expect("a sound")
    };
    let first = made(&[]);
    // A moment of silence, and 300 samples of 16 bits.
    assert_eq!((&first[..4], first.len()), (&b"RIFF"[..], 44 + 2 * 301));
    assert_eq!(made(&["--threads", "1"]), first);
    assert_ne!(made(&["--seed", "4"]), first);
    let longer = made(&["--prompt-file", "tones/d.wav"]);
    assert_eq!(longer.len(), 44 + 2 * 800, "half a second at 1000 a second, then what is made");
    let numbers = folder.json(&["generate", "runs/net", "--output", "out.wav", "--json"]);
    assert_eq!(numbers.len(), 1000, "a second");
    // It is a recording as those to train on.
    let answers = folder.good(&["predict", "runs/net", "out.wav", "--csv"]);
    assert!(answers.lines().count() == 2, "{answers}");
}

#[test]
fn a_sound_needs_a_file_and_no_text() {
    let folder = trained_on_tones();
    let refused = |more: &[&str], code: i32, wanted: &str| {
        let output = folder.nnc(&[&["generate", "runs/net"], more].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(code) && error.contains(wanted), "{more:?}: {error}");
        assert!(!folder.path("out.wav").exists());
    };
    refused(&[], 2, "name a WAV file for it");
    refused(&["--prompt", "a", "--output", "out.wav"], 2, "give a recording by --prompt-file");
    refused(&["--output", "none/out.wav"], 2, "cannot write none/out.wav");
    let prompt = |file| ["--output", "out.wav", "--prompt-file", file];
    refused(&prompt("missing.wav"), 2, "cannot read missing.wav");
    folder.write("bad.wav", b"RIFF");
    refused(&prompt("bad.wav"), 1, "bad.wav");
    folder.write("empty.wav", &tone(1000, 50.0, 0.0));
    refused(&prompt("empty.wav"), 1, "has no samples");
    let program = SOUND.replace("window: 64, ", "");
    folder.write("no.nn", program.as_bytes());
    let error = folder.bad(&["check", "no.nn"]);
    assert!(error.contains("the number of levels of a sample"), "{error}");
}
