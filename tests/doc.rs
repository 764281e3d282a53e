//! `nnc doc`: everything that has a name is documented, in the terminal and as a site.

#[path = "support/folder.rs"]
mod folder;

use folder::Folder;
use nnc::data;
use nnc::elaborate::{self, DocKind, Documentation};
use std::fs;
use std::path::Path;

const PROGRAM: &str = "use \"parts.nn\"

data drawn = digits(train: 20, test: 10)

/// Two layers: `y = tanh(x @ weight)`.
layer twice(x: f32[N, D], units: int >= 1 = 8) -> f32[N, units] {
    x |> dense(units) |> tanh |> dense(units)
}

/// Takes <b>digits</b>.
model net(image: f32[N, 28, 28, 1]) -> f32[N, 10] {
    image |> flatten |> twice |> relu |> head
}

train net on drawn { loss = cross_entropy }
";

const PARTS: &str = "/// The last layer.
layer head(x: f32[N, D]) -> f32[N, 10] { x |> dense(10) }
";

fn folder() -> Folder {
    Folder::new(&[("net.nn", PROGRAM.as_bytes()), ("parts.nn", PARTS.as_bytes())])
}

/// Exit code and standard error of a command that fails.
fn failure(folder: &Folder, args: &[&str]) -> (Option<i32>, String) {
    let output = folder.nnc(args);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn everything_that_has_a_name_is_documented() {
    let language = Documentation::of_language();
    let has = |kind: DocKind, name: &str| language.of(name).any(|item| item.kind == kind);
    let mut missing: Vec<String> = Vec::new();
    let mut ask = |kind: DocKind, name: &str| {
        if !has(kind, name) {
            missing.push(format!("{} {name}", kind.word()));
        }
    };
    elaborate::operators().for_each(|(name, _)| ask(DocKind::Operator, name));
    elaborate::TRAIN_KEYS.iter().for_each(|name| ask(DocKind::Setting, name));
    data::source_names().for_each(|name| ask(DocKind::Source, name));
    data::transform::TRANSFORMS.iter().for_each(|(name, _)| ask(DocKind::Transform, name));
    for name in ["zeros", "ones", "constant", "normal", "uniform", "truncated_normal", "orthogonal"]
    {
        ask(DocKind::Initializer, name);
    }
    assert_eq!(missing, [""; 0]);
    for item in language.items() {
        assert!(!item.summary().is_empty(), "{} {} says nothing", item.kind.word(), item.name);
        assert!(!item.signature.is_empty(), "{}", item.name);
        assert!(!item.text.contains("]("), "{} has a link", item.name);
    }
}

#[test]
fn an_item_is_shown_with_its_signature_text_and_source() {
    let folder = folder();
    let said = folder.good(&["doc", "dropout"]);
    assert!(said.contains("layer dropout(x: f32[..S], rate: float in 0..=1 = 0.5)"), "{said}");
    assert!(
        said.contains("While training, each element is zero with probability `rate`"),
        "{said}"
    );
    assert!(said.contains("<prelude>:") && said.contains("bernoulli(1 - rate, x)"), "{said}");
    // A loss and a metric.
    let said = folder.good(&["doc", "mae"]);
    assert!(said.contains("loss `mae`") && said.contains("metric `mae`"), "{said}");
    let said = folder.good(&["doc", "ema"]);
    assert!(said.contains("setting `ema`") && said.contains("default: none"), "{said}");
    let said = folder.good(&["doc", "conv1d"]);
    assert!(said.contains("conv1d(x, weight, stride, pad, dilation, groups)"), "{said}");
    for line in folder.good(&["doc"]).lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn a_users_file_is_documented_with_those_that_it_uses() {
    let folder = folder();
    let said = folder.good(&["doc", "twice", "--file", "net.nn"]);
    assert!(
        said.contains("net.nn:6") && said.contains("Two layers: `y = tanh(x @ weight)`."),
        "{said}"
    );
    let said = folder.good(&["doc", "head", "--file", "net.nn"]);
    assert!(said.contains("parts.nn:2"), "{said}");
    let items: serde_json::Value =
        serde_json::from_str(&folder.good(&["doc", "net", "--file", "net.nn", "--json"])).unwrap();
    let kinds: Vec<&str> =
        items.as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["model", "train"]);
    assert_eq!(items[0]["line"], 11);
}

#[test]
fn an_unknown_name_is_refused_with_near_ones() {
    let folder = folder();
    let (code, said) = failure(&folder, &["doc", "dropuot"]);
    assert!(code == Some(2) && said.contains("did you mean `dropout`"), "{said}");
    // What another framework calls so is shown.
    let output = folder.nnc(&["doc", "BatchNorm2d"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("is called `batch_norm` here"), "{error}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("running_mean"));
    // What the language does not have.
    let (code, said) = failure(&folder, &["doc", "celu"]);
    assert!(code == Some(2) && said.contains("`elu` is the nearest"), "{said}");
    let (code, said) = failure(&folder, &["doc", "qqqqqqq"]);
    assert!(code == Some(2) && said.contains("`nnc doc` lists all names"), "{said}");
    let (code, said) = failure(&folder, &["doc", "a\u{1b}[2J"]);
    assert!(code == Some(2) && !said.contains('\u{1b}'), "{said}");
}

#[test]
fn files_that_cannot_be_read_or_parsed_are_told() {
    let folder = folder();
    let (code, said) = failure(&folder, &["doc", "--file", "missing.nn"]);
    assert!(code == Some(2) && said.contains("missing.nn"), "{said}");
    folder.write("wrong.nn", b"layer (");
    let (code, said) = failure(&folder, &["doc", "--file", "wrong.nn"]);
    assert!(code == Some(1) && said.contains("wrong.nn:1"), "{said}");
    folder.write("bytes.nn", &[0xff, 0xfe]);
    assert_eq!(failure(&folder, &["doc", "--html", "site", "--file", "bytes.nn"]).0, Some(1));
    assert!(!folder.path("site").exists(), "nothing is written of what cannot be read");
    // What does not elaborate is documented all the same.
    folder.write("shapes.nn", b"model net(x: f32[N, 8]) -> f32[N, 3] { x }\n");
    assert!(folder.good(&["doc", "net", "--file", "shapes.nn"]).contains("f32[N, 3]"));
}

/// A fenced example of an item's comment is elaborated, and stands with its shapes.
#[test]
fn examples_of_a_users_items_hold_or_are_told() {
    let example = |layer: &str| {
        format!(
            "/// Half of it.\n///\n/// ```\n/// model sample(x: f32[N, 8]) -> f32[N, 3] {{\n///     x |> \
             {layer} |> dense(3)\n/// }}\n/// ```\nlayer halved(x: f32[N, D]) -> f32[N, D] {{ 0.5 * x }}\n"
        )
    };
    let folder = Folder::new(&[("own.nn", example("halved").as_bytes())]);
    folder.good(&["doc", "--html", "site", "--file", "own.nn"]);
    let page = fs::read_to_string(folder.path("site/program-1-own.html")).expect("a page");
    assert!(page.contains("    x |&gt; halved |&gt; dense(3)\n}"), "{page}");
    assert!(page.contains("<code>[N, 3]</code>"), "{page}");
    let said = folder.good(&["doc", "halved", "--file", "own.nn"]);
    assert!(said.contains("        x |> halved |> dense(3)\n"), "{said}");
    folder.write("own.nn", example("halfed").as_bytes());
    let (code, said) = failure(&folder, &["doc", "--html", "other", "--file", "own.nn"]);
    assert!(code == Some(1) && said.contains("example of halved.nn:2"), "{said}");
    assert!(!folder.path("other").exists());
}

/// The addresses in a page.
fn addresses(page: &str) -> Vec<&str> {
    let behind = ["href=\"", "src=\""].into_iter().flat_map(|start| page.split(start).skip(1));
    behind.filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn the_site_is_whole_and_loads_nothing_from_elsewhere() {
    let folder = folder();
    folder.good(&["doc", "--html", "site", "--file", "net.nn"]);
    let site = folder.path("site");
    let read =
        |name: &str| fs::read_to_string(site.join(name)).unwrap_or_else(|_| panic!("{name}"));
    for entry in fs::read_dir(&site).expect("the site") {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        if !name.ends_with(".html") {
            continue;
        }
        let page = read(&name);
        assert!(page.contains("default-src 'none'"), "{name}");
        for address in addresses(&page) {
            let (file, anchor) = address.split_once('#').unwrap_or((address, ""));
            assert!(!address.contains(':'), "{name} leads to {address}");
            let found = anchor.is_empty() || read(file).contains(&format!("id=\"{anchor}\""));
            assert!(site.join(file).is_file() && found, "{name} leads to {address}");
        }
    }
    let layers = read("layer.html");
    assert!(layers.contains("<math>") && layers.contains("Example, from"), "formulas, examples");
    assert!(layers.contains("[N, 10]"), "shapes of examples");
    // Those of the user's model, and text that is no markup.
    let own = read("program-1-net.html");
    assert!(own.contains("[N, 784]") && own.contains("&lt;b&gt;digits"), "{own}");
    // The search knows every name once a kind.
    let names = read("names.js");
    let list = names.trim_start_matches("const NAMES = ").trim_end().trim_end_matches(';');
    let list: Vec<[String; 4]> = serde_json::from_str(list).expect("JSON");
    assert_eq!(list.len(), Documentation::of_language().items().len() + 5);
    for [_, _, address, _] in &list {
        let (file, anchor) = address.split_once('#').expect("an anchor");
        assert!(read(file).contains(&format!("id=\"{anchor}\"")), "{address}");
    }
}

#[test]
fn a_folder_with_other_files_is_left_alone_unless_forced() {
    let folder = folder();
    folder.write("site/thesis.txt", b"mine");
    let (code, said) = failure(&folder, &["doc", "--html", "site"]);
    assert!(code == Some(2) && said.contains("--force"), "{said}");
    assert!(!folder.path("site/index.html").exists());
    folder.good(&["doc", "--html", "site", "--force"]);
    assert_eq!(fs::read(folder.path("site/thesis.txt")).unwrap(), b"mine");
    // A site may be made again in its place.
    folder.good(&["doc", "--html", "again"]);
    folder.good(&["doc", "--html", "again"]);
    let (code, _) = failure(&folder, &["doc", "--html", "net.nn"]);
    assert!(code == Some(2) && Path::new(&folder.path("net.nn")).is_file());
}
