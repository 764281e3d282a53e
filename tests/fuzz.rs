//! Mutated and random source text through the front end: no panic, no hang, and what parses is
//! formatted to something that means the same.
//!
//! Each program comes from a seed of its own, which a failure names. `NNC_FUZZ_COUNT` sets how many
//! there are. A further stage is one more entry of [`CHECKS`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use nnc::base::source::{FileId, Sources};
use nnc::syntax;

/// What must hold of any text. An error says what does not.
type Check = fn(&Sources, FileId) -> Result<(), String>;

const CHECKS: &[(&str, Check)] = &[("places", places), ("format", format)];

/// How many programs a normal run tries.
const COUNT: u64 = 20_000;

/// No program of this size should take longer; a machine under load is forgiven much.
const LIMIT: Duration = Duration::from_secs(5);

#[test]
fn any_text_is_parsed_or_refused() {
    let count = std::env::var("NNC_FUZZ_COUNT")
        .map_or(COUNT, |count| count.parse().expect("NNC_FUZZ_COUNT is a number"));
    let corpus = corpus();
    let mut parsed = 0;
    for seed in 0..count {
        let text = program(&mut Random(seed), &corpus);
        let mut sources = Sources::new();
        let file = sources.add("fuzz.nn", text);
        parsed += u64::from(syntax::parse(&sources, file).is_ok());
        for (name, check) in CHECKS {
            let start = Instant::now();
            let outcome = catch_unwind(AssertUnwindSafe(|| check(&sources, file)));
            let complaint = match outcome {
                Err(_) => Some("it panics".to_string()),
                Ok(Err(complaint)) => Some(complaint),
                Ok(Ok(())) => (start.elapsed() > LIMIT).then(|| "it takes too long".to_string()),
            };
            if let Some(complaint) = complaint {
                panic!("seed {seed}, {name}: {complaint}\n{}", sources.file(file).text);
            }
        }
    }
    // Were the mutations too wild, nothing would reach the formatter.
    assert!(parsed * 20 > count, "only {parsed} of {count} programs parse");
}

/// Every diagnostic has a place that is text of the file, and fixes that can be made.
fn places(sources: &Sources, file: FileId) -> Result<(), String> {
    for error in syntax::parse(sources, file).err().unwrap_or_default() {
        error.place().ok_or("an error without a place")?;
        let text = &sources.file(file).text;
        let spans = error.labels.iter().map(|label| label.span);
        let edited = error.fixes.iter().flat_map(|fix| fix.edits.iter().map(|edit| edit.span));
        for span in spans.chain(edited) {
            text.get(span.start as usize..span.end as usize)
                .ok_or_else(|| format!("{} has a place that is not text: {span:?}", error.code))?;
        }
    }
    Ok(())
}

/// What parses is formatted to what has the same tree and is not changed by formatting again.
fn format(sources: &Sources, file: FileId) -> Result<(), String> {
    let Ok(tree) = syntax::parse(sources, file) else { return Ok(()) };
    let tidy = syntax::format(sources, file).map_err(|_| "it parses but is not formatted")?;
    let mut again = Sources::new();
    let file = again.add("again.nn", &tidy);
    let tree_again = syntax::parse(&again, file)
        .map_err(|errors| format!("formatted, it does not parse: {errors:?}\n{tidy}"))?;
    if syntax::dump(&tree) != syntax::dump(&tree_again) {
        return Err(format!("formatted, it means something else:\n{tidy}"));
    }
    match syntax::format(&again, file) {
        Ok(twice) if twice == tidy => Ok(()),
        Ok(twice) => Err(format!("formatted:\n{tidy}\nformatted twice:\n{twice}")),
        Err(_) => Err("what was formatted is not formatted".to_string()),
    }
}

/// Real programs to start from: the inputs of the syntax tests.
fn corpus() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/syntax");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of syntax tests")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "nn"))
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).expect("UTF-8")).collect()
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }
}

fn program(random: &mut Random, corpus: &[String]) -> String {
    match random.below(10) {
        0 => noise(random),
        1 => soup(random),
        2 => nested(random),
        _ => mutated(random, corpus),
    }
}

fn noise(random: &mut Random) -> String {
    let length = random.below(200);
    let bytes: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

const TOKENS: &[&str] = &[
    "layer", "model", "loss", "train", "data", "const", "use", "on", "let", "param", "state", "if",
    "else", "repeat", "in", "as", "not", "and", "or", "true", "x", "y", "N", "f32", "1", "2.5",
    "1e-3", "1.", "\"a\"", "\"", "(", ")", "[", "]", "{", "}", ",", ":", "=", "==", "!=", "<",
    "<=", "<-", ">", "->", "|>", "+", "-", "*", "/", "//", "///", "@", "^", ".", "..", ";", "\n",
    "\n", "\n\n", " ", "    ", "\r\n", "\t", "é", "\u{feff}", "\u{a0}", "# ", "&&", "'",
];

fn soup(random: &mut Random) -> String {
    let length = random.below(120);
    let mut text = String::from(random.pick(&["", "const a = ", "layer f(x) {\n"]));
    for _ in 0..length {
        text.push_str(random.pick(TOKENS));
        text.push_str(random.pick(&["", " ", " "]));
    }
    text.push_str(random.pick(&["", "\n}\n"]));
    text
}

/// One construct around itself, up to and past the bounds.
fn nested(random: &mut Random) -> String {
    let &(open, close) = random.pick(&[
        &("(", ")"),
        &("[", "]"),
        &("f(", ")"),
        &("a[", "]"),
        &("if a { ", " }"),
        &("if a { b } else { ", " }"),
        &("x |> repeat 2 { f(", ") }"),
        &("- ", ""),
        &("not ", ""),
        &("2 ^ ", ""),
        &("", " + 1"),
        &("", " |> f"),
        &("", ".b"),
        &("if a { b } else ", ""),
    ]);
    let depth = [1, 5, 20, 63, 64, 100, 250, 300, 5000][random.below(9)];
    let (open, close) = (open.repeat(depth), close.repeat(depth));
    format!("const a = {open}if c {{ x }}{close}\n")
}

/// A real program with a few things done to it.
fn mutated(random: &mut Random, corpus: &[String]) -> String {
    let mut text = corpus[random.below(corpus.len())].clone();
    for _ in 0..1 + random.below(4) {
        let (start, end) = range(random, &text);
        match random.below(8) {
            0 => text.replace_range(start..end, ""),
            1 => text.insert_str(start, random.pick(TOKENS)),
            2 => text.insert(start, random.pick(&[" ", "\n", "\t"]).chars().next().unwrap_or(' ')),
            3 => {
                let copy = text[start..end].to_string();
                let (at, _) = range(random, &text);
                text.insert_str(at, &copy);
            }
            4 => text.replace_range(start..end, random.pick(TOKENS)),
            5 => text = text.replacen(' ', random.pick(&["", "  ", "\n"]), random.below(20)),
            6 => text.insert_str(start, random.pick(&[" // comment\n", "\n// comment\n"])),
            _ => text.truncate(end),
        }
    }
    text
}

/// A short range of the text between characters.
fn range(random: &mut Random, text: &str) -> (usize, usize) {
    let boundary = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at += 1;
        }
        at
    };
    let start = boundary(random.below(text.len() + 1));
    let end = boundary((start + random.below(12)).min(text.len()));
    (start, end)
}
