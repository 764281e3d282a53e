//! The rules of the house, checked from the sources: who may use whom, where `unsafe` and I/O
//! may stand, that every file says what it is and is short ([`sizes`]).

#[path = "layering/sizes.rs"]
mod sizes;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with those it may use, itself and `base` aside. `docs/architecture.md` explains.
const MAY_USE: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("syntax", &[]),
    ("graph", &[]),
    ("loops", &[]),
    ("files", &[]),
    ("data", &["files"]),
    ("report", &["files"]),
    ("elaborate", &["syntax", "graph"]),
    ("repair", &["syntax", "elaborate"]),
    ("lint", &["syntax", "graph", "elaborate", "repair"]),
    ("pass", &["graph"]),
    ("schedule", &["loops"]),
    ("lower", &["graph", "loops", "schedule"]),
    ("codegen", &["loops"]),
    ("onnx", &["graph"]),
    ("runtime", &["files", "graph", "loops", "data", "codegen"]),
    (
        "driver",
        &[
            "syntax",
            "graph",
            "loops",
            "files",
            "data",
            "elaborate",
            "repair",
            "lint",
            "pass",
            "lower",
            "schedule",
            "codegen",
            "runtime",
        ],
    ),
    (
        "run",
        &[
            "syntax",
            "graph",
            "loops",
            "files",
            "data",
            "report",
            "elaborate",
            "repair",
            "lint",
            "pass",
            "lower",
            "schedule",
            "codegen",
            "runtime",
            "driver",
        ],
    ),
    (
        "command",
        &[
            "syntax",
            "graph",
            "loops",
            "files",
            "data",
            "report",
            "elaborate",
            "repair",
            "lint",
            "pass",
            "lower",
            "schedule",
            "codegen",
            "onnx",
            "runtime",
            "driver",
            "run",
        ],
    ),
    ("editor", &["syntax", "files", "data", "elaborate", "driver", "command"]),
];

/// Where unsafe code may stand.
const MAY_BE_UNSAFE: &[&str] = &[
    "src/codegen/jit",
    "src/codegen/tile",
    "src/runtime/program",
    "src/runtime/pool",
    "src/cli/allocator",
];

fn rust_files(folder: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    walk(Path::new(folder), &mut files);
    files.sort();
    assert!(!files.is_empty(), "no sources under {folder}");
    files
}

/// The top-level module of a source file: `src/pass/cse.rs` is `pass`, `src/driver.rs` `driver`.
fn module(path: &Path) -> String {
    let mut parts = path.strip_prefix("src").expect("a path under src").components();
    let first = parts.next().expect("a file name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_string()
}

/// The code of a file without its tests (which may use anything) and without comments. Tests that
/// stand in a file of their own (`mod tests;`) end nothing.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("readable source");
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let without = |line: &str| line.split("//").next().unwrap_or_default().to_string();
    code.lines().map(without).collect::<Vec<_>>().join("\n")
}

/// The paths that the `use` items of a file name, groups spelt out: `use a::{b, c::d}` is `a::b` and
/// `a::c::d`.
fn imports(code: &str) -> Vec<String> {
    fn spell(path: &str, out: &mut Vec<String>) {
        let path = path.trim();
        let Some((before, group)) = path.split_once('{') else {
            out.extend((!path.is_empty()).then(|| path.to_owned()));
            return;
        };
        let group = group.trim_end().strip_suffix('}').unwrap_or(group);
        let (mut depth, mut start) = (0, 0);
        for (at, sign) in group.char_indices().chain([(group.len(), ',')]) {
            match sign {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    let one = group[start..at].trim();
                    if !one.is_empty() {
                        spell(&format!("{before}{one}"), out);
                    }
                    start = at + 1;
                }
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    let words = ["use ", "pub use ", "pub(super) use ", "pub(crate) use "];
    let mut rest = code;
    while let Some(line) = rest.split_inclusive('\n').next() {
        let item = words.iter().find_map(|word| line.trim_start().strip_prefix(word));
        if item.is_some() {
            let end = rest.find(';').unwrap_or(rest.len());
            let text = rest[..end].trim_start();
            let path = text.split_once("use ").map_or("", |(_, path)| path);
            spell(path, &mut found);
        }
        rest = &rest[line.len()..];
    }
    found
}

/// The module of a file, as a path from the crate: `src/pass/fuse/again.rs` is `pass`, `fuse`, `again`.
fn module_path(path: &Path) -> Vec<String> {
    let inside = path.strip_prefix("src").expect("a path under src").with_extension("");
    let mut parts: Vec<String> =
        inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

#[test]
fn modules_use_only_what_lies_below_them() {
    let mut wrong = Vec::new();
    for path in rust_files("src") {
        let module = module(&path);
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            continue;
        };
        let code = code(&path);
        let imports = imports(&code);
        for (other, _) in MAY_USE.iter().chain([&("cli", &[][..])]) {
            let inside = format!("crate::{other}::");
            let named = |import: &String| {
                import.starts_with(&inside) || *import == inside.trim_end_matches("::")
            };
            let uses = code.contains(&inside) || imports.iter().any(named);
            if uses && *other != module && *other != "base" && !allowed.contains(other) {
                wrong.push(format!("{} uses {other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A module may import from the one that it is part of, which holds what its parts share; otherwise
/// imports go one way.
#[test]
fn no_files_import_each_other_in_a_circle() {
    let is_test = |path: &PathBuf| module_path(path).iter().any(|part| part == "tests");
    let files: Vec<PathBuf> = rust_files("src").into_iter().filter(|path| !is_test(path)).collect();
    let modules: Vec<Vec<String>> = files.iter().map(|path| module_path(path)).collect();
    let uses: Vec<Vec<usize>> = files
        .iter()
        .zip(&modules)
        .map(|(path, own)| {
            let imported = imports(&code(path)).into_iter().filter_map(|import| {
                let mut names: Vec<String> = import.split("::").map(str::to_owned).collect();
                let mut from = match names[0].as_str() {
                    "crate" => Vec::new(),
                    "self" | "super" => own.clone(),
                    _ => return None,
                };
                while names.first().is_some_and(|name| name == "super") {
                    from.pop();
                    names.remove(0);
                }
                names.retain(|name| name != "crate" && name != "self");
                from.extend(names);
                let named = (1..=from.len()).rev().map(|length| &from[..length]);
                let index = named.filter_map(|named| modules.iter().position(|it| it == named));
                index.into_iter().next()
            });
            let is_own = |&index: &usize| own.starts_with(&modules[index]);
            imported.filter(|index| !is_own(index)).collect()
        })
        .collect();
    // What imports nothing that is left, or is imported by nothing that is, is taken away until only
    // circles are left.
    let mut left: Vec<usize> = (0..files.len()).collect();
    loop {
        let known = left.clone();
        left.retain(|file| {
            uses[*file].iter().any(|used| known.contains(used))
                && known.iter().any(|&other| uses[other].contains(file))
        });
        if left.len() == known.len() {
            break;
        }
    }
    let circle: Vec<_> = left.iter().map(|&file| files[file].display().to_string()).collect();
    assert!(circle.is_empty(), "these files import each other in a circle: {circle:#?}");
}

#[test]
fn every_module_has_its_place_in_the_table() {
    let names = MAY_USE.iter().map(|(name, _)| *name);
    let known: Vec<&str> = names.chain(["cli", "lib", "main"]).collect();
    for path in rust_files("src") {
        let module = module(&path);
        assert!(known.contains(&module.as_str()), "{} is not in the table", path.display());
    }
}

#[test]
fn pest_cranelift_and_iced_have_one_user_each() {
    let rules = [("pest", "syntax"), ("cranelift", "codegen"), ("iced_x86", "codegen")];
    for path in rust_files("src") {
        let code = code(&path);
        for (name, user) in rules {
            let uses =
                code.contains(&format!("use {name}")) || code.contains(&format!(" {name}::"));
            assert!(!uses || module(&path) == user, "{} uses {name}", path.display());
        }
    }
}

/// The protocol of reports is implemented where diagnostics are, and handled where they are printed.
#[test]
fn reports_are_told_by_the_command_line_alone() {
    for path in rust_files("src") {
        let room = module(&path);
        assert!(
            !code(&path).contains("miette::") || room == "base" || room == "cli",
            "{} uses miette",
            path.display()
        );
    }
}

/// `println!` ends a program whose reader has closed the pipe; `write::out` returns the failure.
#[test]
fn results_are_written_where_a_failure_is_seen() {
    for path in rust_files("src").into_iter().filter(|path| module(path) == "cli") {
        let code = code(&path).replace("eprintln!", "").replace("eprint!", "");
        for word in ["println!", "print!("] {
            assert!(!code.contains(word), "{} has {word}", path.display());
        }
    }
}

#[test]
fn only_the_command_line_prints_exits_and_reads_the_environment() {
    let words = ["println!", "eprintln!", "print!(", "process::exit", "env::var", "env::args"];
    let is_test = |path: &Path| {
        path.components()
            .any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")))
    };
    let others = |path: &PathBuf| module(path) != "cli" && !is_test(path);
    for path in rust_files("src").into_iter().filter(others) {
        let code = code(&path);
        for word in words {
            assert!(!code.contains(word), "{} has {word}", path.display());
        }
    }
}

/// A path may lead to a pipe that nobody writes into, to a device, to a file with other names; and what
/// it is called may be meant for the terminal. One room knows, and one file.
#[test]
fn files_are_opened_written_and_named_in_one_way() {
    let words = [
        "fs::read(",
        "fs::read_to_string(",
        "fs::write(",
        "fs::copy(",
        "File::open(",
        "File::create",
        "File::options(",
        "OpenOptions",
        "NamedTempFile::new",
        "tempfile_in(",
        ".display()",
    ];
    // A new file of a name that none has, and one beside its place in a folder of ours.
    let exceptions = [
        ("src/report/tensorboard/mod.rs", "OpenOptions"),
        ("src/data/images/packed.rs", "tempfile_in("),
        ("src/codegen/object.rs", ".display()"),
        // Only files of the system, which tests stand in for.
        ("src/cli/memory.rs", "fs::read_to_string("),
    ];
    let is_test = |path: &Path| {
        path.components()
            .any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")))
    };
    for path in rust_files("src").into_iter().filter(|path| module(path) != "files") {
        let shown = path.to_string_lossy();
        let code = code(&path);
        for word in words {
            let allowed = is_test(&path) || exceptions.contains(&(&shown, word));
            // What the system tells of itself.
            let mut lines = code.lines().filter(|line| !line.contains("\"/sys/"));
            let found = lines.any(|line| line.contains(word) && !line.contains("\"/proc/"));
            assert!(allowed || !found, "{shown} has {word}; `src/files` and `base::shown` do that");
        }
    }
}

#[test]
fn unsafe_code_has_its_rooms_and_reasons() {
    for path in rust_files("src") {
        let text = fs::read_to_string(&path).expect("readable source");
        let shown = path.display().to_string();
        let allowed = MAY_BE_UNSAFE.iter().any(|room| shown.starts_with(room));
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let words = ["unsafe {", "unsafe impl", "unsafe fn ", "unsafe trait "];
            if !words.iter().any(|word| code.contains(word)) {
                continue;
            }
            assert!(allowed, "{shown}:{}: unsafe code outside its rooms", number + 1);
            let before = &lines[number.saturating_sub(8)..=number];
            let reason = before.iter().any(|line| line.contains("SAFETY:"));
            assert!(reason, "{shown}:{}: unsafe without a SAFETY comment", number + 1);
        }
    }
}

#[test]
fn every_file_opens_with_what_it_is() {
    for folder in ["src", "tests", "benches"] {
        for path in rust_files(folder) {
            let text = fs::read_to_string(&path).expect("readable source");
            assert!(text.starts_with("//!"), "{} does not open with `//!`", path.display());
        }
    }
}

/// The name that a line defines as a type, and whether other files may use it.
fn type_of(line: &str) -> Option<(bool, &str)> {
    // An associated type has the name that its trait gives it.
    if line.trim_start().starts_with("type ") && line.starts_with(' ') {
        return None;
    }
    let line = line.trim_start();
    let (public, rest) = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => (true, rest.split_once(") ").map_or("", |it| it.1)),
        Some(rest) => (true, rest.trim_start()),
        None => (false, line),
    };
    let rest = rest.strip_prefix("unsafe ").unwrap_or(rest);
    let words = ["struct ", "enum ", "trait ", "union ", "type "];
    let rest = words.iter().find_map(|word| rest.strip_prefix(word))?;
    let name = rest.split(|sign: char| !sign.is_alphanumeric() && sign != '_').next()?;
    (!name.is_empty()).then_some((public, name))
}

/// `rg 'struct Name|enum Name'` finds one place. Private types may share a name with one another.
#[test]
fn each_public_type_has_a_name_of_its_own() {
    let is_test = |path: &Path| module_path(path).iter().any(|part| part == "tests");
    let mut defined: BTreeMap<String, (bool, BTreeSet<PathBuf>)> = BTreeMap::new();
    for path in rust_files("src").into_iter().filter(|path| !is_test(path)) {
        for (public, name) in code(&path).lines().filter_map(type_of) {
            let entry = defined.entry(name.to_owned()).or_default();
            entry.0 |= public;
            entry.1.insert(path.clone());
        }
    }
    let shared: Vec<_> =
        defined.iter().filter(|(_, (public, files))| *public && files.len() > 1).collect();
    assert!(defined.len() > 500, "too few types were found: {}", defined.len());
    assert!(shared.is_empty(), "these types share their name: {shared:#?}");
}

/// “What goes in” says less than “The tensors that go in”.
#[test]
fn documentation_names_things() {
    for path in rust_files("src") {
        let text = fs::read_to_string(&path).expect("readable source");
        for (number, line) in text.lines().enumerate() {
            let line = line.trim_start();
            let doc = line.strip_prefix("/// ").or_else(|| line.strip_prefix("//! "));
            let paraphrases = doc.is_some_and(|doc| doc.starts_with("What "));
            assert!(!paraphrases, "{}:{}: {line}", path.display(), number + 1);
        }
    }
}

#[test]
fn nothing_is_left_unfinished() {
    let words = [concat!("to", "do!("), concat!("un", "implemented!("), concat!("FIX", "ME")];
    for path in rust_files("src").into_iter().chain(rust_files("tests")) {
        let text = fs::read_to_string(&path).expect("readable source");
        for word in words {
            assert!(!text.contains(word), "{} has {word}", path.display());
        }
    }
}
