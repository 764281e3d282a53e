//! Source texts that are nearly programs, from seeds: for the compiler in the same process
//! (`tests/fuzz.rs`) and for the commands of the binary (`tests/hostile.rs`).

/// Real programs to start from: models and the inputs of golden tests.
pub fn corpus() -> Vec<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tests/golden/syntax", "tests/golden/cli", "tests/golden/torch", "models"];
    let mut paths: Vec<_> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(root.join(folder)).expect("a folder of programs"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "nn"))
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read_to_string(path).expect("UTF-8")).collect()
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }
}

/// Any text: mostly a real program with a few things done to it.
pub fn program(random: &mut Random, corpus: &[String]) -> String {
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

/// Small programs, each with data that need no files.
pub fn small_corpus() -> Vec<String> {
    let train = |settings: &str| {
        format!(
            "train net on d {{\n    loss = cross_entropy\n    batch = 4\n    epochs = 1\n{settings}}}\n"
        )
    };
    let data = "data d = digits(train: 16, test: 8)\n";
    let model = |stages: &str| {
        format!("model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {{\n    image{stages}\n}}\n")
    };
    vec![
        format!(
            "{data}{}{}",
            model(" |> flatten |> dense(8) |> relu |> dense(10)"),
            train("    optimizer = adam(lr: 1e-3)\n    metrics = [accuracy]\n")
        ),
        format!(
            "{data}{}{}",
            model(
                " |> conv(4, size: 3, stride: 2, pad: 1) |> batch_norm |> relu |> max_pool(2) |> flatten |> dense(10)"
            ),
            train(
                "    optimizer = sgd(lr: cosine(0.1, warmup: 2), momentum: 0.9)\n    clip_norm = 1.0\n"
            )
        ),
        format!(
            "{data}const W = [4, 8]\nlayer block(x: f32[..S, C], units: int = 4) -> f32[..S, units] {{\n    let y = x |> dense(units) |> gelu\n    y |> layer_norm |> dropout(0.1)\n}}\n{}{}",
            model(" |> flatten |> repeat i in 0..2 { block(W[i]) } |> dense(10)"),
            train(
                "    optimizer = adamw(lr: 1e-3, weight_decay: 0.01)\n    accumulate = 2\n    class_weights = balanced\n"
            )
        ),
    ]
}

const WORDS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "65536",
    "2147483648",
    "9223372036854775807",
    "1e308",
    "1e-45",
    "0.5",
    "N",
    "x",
    "image",
    "relu",
    "dense(3)",
    "conv(2, size: 3)",
    "softmax",
    "flatten",
    "batch_norm",
    "max_pool(2)",
    "dropout(0.5)",
    "true",
    "[1, 2]",
    "\"a\"",
    "C",
    "training",
    "sum(image)",
    "mse",
    "cosine(1e-3)",
    "-",
    "*",
    "/",
    "^",
    "@",
    "|>",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "=",
    "..",
    "if",
    "let",
    "repeat 3 { relu }",
    "\n",
];

/// The pieces of a text: words, numbers, and single signs.
fn pieces(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut in_word = false;
    for c in text.chars() {
        let is_word = c.is_alphanumeric() || matches!(c, '_' | '.');
        match found.last_mut() {
            Some(last) if is_word && in_word => last.push(c),
            _ => found.push(c.to_string()),
        }
        in_word = is_word;
    }
    found
}

/// A program of the corpus with up to three pieces replaced, dropped, doubled or exchanged.
pub fn words_changed(random: &mut Random, corpus: &[String]) -> String {
    let mut pieces = pieces(&corpus[random.below(corpus.len())]);
    for _ in 0..random.below(4) {
        let at = random.below(pieces.len());
        let word = WORDS[random.below(WORDS.len())].to_string();
        match random.below(6) {
            0 | 1 => pieces[at] = word,
            2 => pieces.insert(at, word),
            3 => drop(pieces.remove(at)),
            4 => {
                let end = (at + 1 + random.below(12)).min(pieces.len());
                let copy = pieces[at..end].to_vec();
                pieces.splice(at..at, copy);
            }
            _ => {
                let other = random.below(pieces.len());
                pieces.swap(at, other);
            }
        }
    }
    pieces.concat()
}
