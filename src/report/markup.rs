//! A checker of markup for tests: every tag is closed by its own, and quotes are closed.

/// Elements of HTML that have no end.
const VOID: [&str; 5] = ["meta", "img", "br", "hr", "link"];

/// Fails unless the tags of a document are balanced and nothing stands in them that should be
/// escaped.
pub fn well_formed(document: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = document;
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "a loose `>`: {}", &rest[..start]);
        let end = start + rest[start..].find('>').expect("a tag's end");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if tag.starts_with('!') {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed before `{}`", head(rest));
            continue;
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "quotes of <{tag}>");
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        let known = |c: char| c.is_ascii_alphanumeric();
        assert!(!name.is_empty() && name.chars().all(known), "<{tag}>");
        if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
        if name == "style" {
            rest = &rest[rest.find("</style>").expect("the end of a style sheet")..];
        }
    }
    assert!(!rest.contains('>'), "a loose `>`: {}", head(rest));
    assert_eq!(open, [""; 0], "left open");
    entities(document);
}

/// Fails at an ampersand that begins no entity that is written.
fn entities(document: &str) {
    for (index, _) in document.match_indices('&') {
        let rest = &document[index..];
        let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
        assert!(known.iter().any(|entity| rest.starts_with(entity)), "loose: {}", head(rest));
    }
}

fn head(text: &str) -> String {
    text.chars().take(60).collect()
}

mod tests {
    use super::well_formed;

    #[test]
    fn good_markup_passes() {
        well_formed("<!DOCTYPE html><p class=\"a\">a &amp; b<br/><img alt=\"\"/></p>");
        well_formed("<style>a>b{}</style>");
    }

    #[test]
    fn bad_markup_fails() {
        let bad = [
            "<p>",
            "</p>",
            "<p><b></p></b>",
            "<p a=\">",
            "a < b",
            "a > b",
            "a & b",
            "<p>&copy;</p>",
        ];
        for document in bad {
            let found = std::panic::catch_unwind(|| well_formed(document));
            assert!(found.is_err(), "{document}");
        }
    }
}
