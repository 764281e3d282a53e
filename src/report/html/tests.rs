//! Whole pages: what holds for any texts.

use super::*;
use crate::report::chart::{Mark, Series, SeriesShape};
use crate::report::markup::well_formed;

/// A page in which every text is this one.
fn page_of(text: &str) -> Page {
    let text = || text.to_owned();
    let series =
        Series { name: text(), points: vec![(1.0, 1.0), (2.0, 0.5)], shape: SeriesShape::Dashed };
    let chart = Chart {
        title: text(),
        x_label: text(),
        y_label: text(),
        series: vec![series],
        marks: vec![Mark { x: 1.5, label: text() }],
        ..Chart::default()
    };
    let picture = Picture { height: 2, width: 2, channels: 3, bytes: vec![90; 12] };
    let fact = |is_number| Fact::new(&text(), text(), is_number);
    let prediction = |pictures| SamplePrediction {
        name: text(),
        pictures,
        texts: vec![(text(), vec![TextRun { text: text(), wrong: true }])],
        sound: Some(b"RIFF".to_vec()),
        facts: vec![fact(true), fact(false)],
    };
    let list = |samples| SampleList { title: text(), legend: vec![(text(), [1, 2, 3])], samples };
    let table = || HtmlTable {
        title: text(),
        header: vec![text()],
        rows: vec![vec![text(), text()]],
        numeric: vec![true],
    };
    let several = vec![(text(), picture.clone()), (text(), picture)];
    let output = OutputSection {
        name: text(),
        facts: vec![(text(), text())],
        confusion: Some(Confusion {
            classes: vec![text(), text()],
            counts: vec![vec![3, 1], vec![0, 2]],
        }),
        charts: vec![chart.clone()],
        tables: vec![table()],
        samples: vec![list(vec![prediction(several)]), list(vec![prediction(Vec::new())])],
    };
    Page {
        title: text(),
        summary: vec![(text(), text())],
        charts: vec![chart],
        outputs: vec![output],
        tables: vec![table()],
        sources: vec![(text(), text())],
        notes: vec![text()],
    }
}

#[test]
fn no_text_gets_into_the_page_as_markup() {
    // What is harmless has the same tags as what is not.
    let tags = |page: &str| page.matches('<').count();
    let harmless = render(&page_of("name"));
    well_formed(&harmless);
    let texts = [
        "<script>alert(1)</script>",
        "</title></style></pre></td><b>",
        "\" onload=\"alert(1)",
        "' onload='alert(1)",
        "&lt;script&gt;",
        "a & b &copy; &#60;",
        "<!-- ",
        "]]>",
        "<",
    ];
    for text in texts {
        let page = render(&page_of(text));
        well_formed(&page);
        // A shortened name has its whole in a `<title>` or an attribute besides.
        let shortened = page.matches("<title>").count() - harmless.matches("<title>").count();
        assert_eq!(tags(&page), tags(&harmless) + 2 * shortened, "{text}");
        let body = page.split_once("</style>").expect("a body").1;
        assert!(!body.contains("<script") && !body.contains("<b>"), "{text}");
        assert!(!body.contains("onload=\"") && !body.contains("onload='"), "{text}");
        assert!(page.matches(&escape(text)).count() >= 19, "{text} is shown everywhere");
    }
}

#[test]
fn control_characters_are_shown_as_pictures() {
    let all: String = ('\0'..='\u{9f}').filter(|c| c.is_control()).collect();
    let page = render(&page_of(&format!("{all}\u{202e}\u{ffff}")));
    well_formed(&page);
    let allowed = |c: char| !c.is_control() || c == '\n' || c == '\t';
    assert!(page.chars().all(|c| allowed(c) && c != '\u{202e}' && c != '\u{ffff}'));
    assert!(page.contains('␀') && page.contains('␛'));
}

#[test]
fn an_empty_page_has_only_its_title() {
    let page = render(&Page::default());
    well_formed(&page);
    let body = page.split_once("<body>").expect("a body").1;
    assert_eq!(body, "<main><h1>Report</h1></main></body></html>\n");
}

#[test]
fn a_page_stands_alone() {
    let page = render(&page_of("name"));
    for word in ["http:", "https:", "url(", "@import", "<script", "src=\"/"] {
        let found = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!found.contains(word), "{word}");
    }
    let of = |kind: &str| page.matches(&format!("src=\"data:{kind};base64,")).count();
    assert_eq!(page.matches("src=").count(), of("image/png") + of("audio/wav"));
    assert!(page.contains("<meta http-equiv=\"Content-Security-Policy\""));
    assert_eq!(page.matches("<style>").count(), 1, "charts share the page's");
}

#[test]
fn sources_keep_their_lines() {
    let sources = vec![("model.nn".into(), "\n\tlet x = a < b\r\nend\n".into())];
    let page = render(&Page { sources, ..Page::default() });
    assert!(page.contains("<pre><code>\n\tlet x = a &lt; b\nend\n</code></pre>"));
}
