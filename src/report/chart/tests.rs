//! Whole drawings: one to the letter, and what holds for all of them.

use super::*;
use crate::report::markup::well_formed;

fn series(name: &str, points: &[(f64, f64)]) -> Series {
    Series { name: name.to_owned(), points: points.to_vec(), ..Series::default() }
}

fn chart(series: Vec<Series>) -> Chart {
    Chart { title: "Loss".into(), x_label: "epoch".into(), series, ..Chart::default() }
}

/// A drawing without its style sheet.
fn drawn(charts: &[Chart]) -> String {
    let svg = svg(charts);
    let (before, rest) = svg.split_once("<style>").expect("a style sheet");
    format!("{before}{}", rest.split_once("</style>\n").expect("its end").1)
}

const SMALL: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" class="nnc-chart" width="456" height="353" viewBox="0 0 456 353" role="img" aria-label="Loss">
<rect class="paper" width="100%" height="100%"/>
<g transform="translate(28,28)"><text class="title" y="13">Loss</text>
<path class="curve c0" d="M0.0,30.5 22.0,30.5"/>
<text x="27.0" y="34.5">a&amp;b</text>
<path class="grid" d="M13.6,251.9 388.0,251.9"/>
<text class="end" x="7.6" y="255.9">1</text>
<path class="grid" d="M13.6,191.3 388.0,191.3"/>
<text class="end" x="7.6" y="195.3">2</text>
<path class="grid" d="M13.6,130.7 388.0,130.7"/>
<text class="end" x="7.6" y="134.7">3</text>
<path class="grid" d="M13.6,70.1 388.0,70.1"/>
<text class="end" x="7.6" y="74.1">4</text>
<path class="axis" d="M13.6,261.0 388.0,261.0M13.6,261.0 13.6,265.0M200.8,261.0 200.8,265.0M388.0,261.0 388.0,265.0"/>
<text class="mid" x="13.6" y="277.0">1</text>
<text class="mid" x="200.8" y="277.0">2</text>
<text class="mid" x="388.0" y="277.0">3</text>
<text class="mid" x="200.8" y="293.0">epoch</text>
<path class="mark" d="M200.8,59.0 200.8,261.0"><title>best</title></path>
<text class="halo" x="200.8" y="57.0">best</text>
<path class="curve c0" d="M13.6,70.1 200.8,191.3 388.0,251.9"><title>a&amp;b</title></path>
</g>
</svg>
"##;

#[test]
fn a_small_chart_to_the_letter() {
    let mut small = chart(vec![series("a&b", &[(1.0, 4.0), (2.0, 2.0), (3.0, 1.0)])]);
    small.marks.push(Mark { x: 2.0, label: "best".into() });
    assert_eq!(drawn(&[small]), SMALL);
}

#[test]
fn charts_lie_two_a_row_with_plots_side_by_side() {
    let plain = chart(vec![series("", &[(1.0, 1.0), (2.0, 3.0)])]);
    let mut marked = plain.clone();
    marked.marks = vec![Mark { x: 1.0, label: "begin".into() }];
    let svg = drawn(&[plain.clone(), marked, plain]);
    assert_eq!(svg.matches("<g transform=\"translate(28,28)\">").count(), 1);
    assert_eq!(svg.matches("<g transform=\"translate(456,28)\">").count(), 1);
    assert_eq!(svg.matches("<g transform=\"translate(28,336)\">").count(), 1);
    let axes: Vec<&str> = svg.lines().filter(|line| line.contains("class=\"axis\"")).collect();
    assert_eq!(axes[0], axes[1], "the second has a lane for its mark, the first has not");
    assert_ne!(axes[0], axes[2]);
}

#[test]
fn every_text_is_escaped_and_every_tag_closed() {
    let nasty = "</text><script>alert(\"1\")</script>&amp;'\0\x1b]\u{202e}";
    let mut all = chart(vec![series(nasty, &[(1.0, 1.0), (2.0, 2.0)])]);
    all.title = nasty.into();
    all.x_label = nasty.into();
    all.y_label = nasty.into();
    all.marks.push(Mark { x: 1.5, label: nasty.into() });
    let mut empty = all.clone();
    empty.series[0].points.clear();
    let svg = svg(&[all, empty]);
    well_formed(&svg);
    assert!(!svg.contains("<script") && !svg.contains("</text><script"));
    assert!(!svg.contains('\0') && !svg.contains('\x1b') && !svg.contains('\u{202e}'));
    assert!(svg.contains("&lt;script&gt;"));
}

#[test]
fn charts_that_have_nothing_to_show_say_so() {
    let says = |chart: &Chart, words: &str| {
        let svg = drawn(std::slice::from_ref(chart));
        well_formed(&svg);
        assert!(svg.contains(&format!(">{words}</text>")), "{svg}");
    };
    let mut marked = chart(Vec::new());
    marked.marks.push(Mark { x: 1.0, label: "best".into() });
    says(&marked, "no data");
    says(&chart(vec![series("a", &[])]), "no data");
    let none = [(1.0, f64::NAN), (f64::INFINITY, 1.0)];
    says(&chart(vec![series("a", &none)]), "no finite numbers to show");
    let mut log = chart(vec![series("a", &[(1.0, 0.0), (2.0, -1.0)])]);
    log.log_y = true;
    says(&log, "no positive finite numbers to show");
    assert!(svg(&[]).contains(">no charts</text>"));
}

#[test]
fn numbers_that_are_not_finite_leave_a_gap() {
    let points = [(1.0, 1.0), (2.0, 2.0), (3.0, f64::NAN), (4.0, 3.0), (5.0, 4.0), (6.0, f64::NAN)];
    let svg = drawn(&[chart(vec![series("", &points)])]);
    let curve = svg.lines().find(|line| line.contains("class=\"curve")).expect("a curve");
    assert_eq!(curve.matches('M').count(), 2);
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn a_single_point_is_a_dot_in_the_middle() {
    let svg = drawn(&[chart(vec![series("", &[(3.0, 5.0)])])]);
    assert_eq!(svg.matches("<circle").count(), 1);
    assert!(!svg.contains("class=\"curve"));
}

#[test]
fn nothing_is_drawn_outside_of_the_plot() {
    let wild =
        [(1e-9, 1e300), (1e9, 1e-300), (5.0, -1e300), (7.0, f64::MAX), (8.0, f64::MIN_POSITIVE)];
    for (log_x, log_y) in [(false, false), (true, false), (false, true), (true, true)] {
        let chart = Chart { log_x, log_y, ..chart(vec![series("", &wild)]) };
        let svg = drawn(&[chart]);
        well_formed(&svg);
        let curve = svg.split("class=\"curve c0\" d=\"M").nth(1).expect("a curve");
        let path = curve.split('"').next().expect("its end");
        for place in path.split(['M', ' ', 'L']) {
            let (x, y) = place.split_once(',').expect("a point");
            let [x, y] = [x, y].map(|number| number.parse::<f64>().expect("a number"));
            assert!((0.0..=WIDTH).contains(&x) && (0.0..=300.0).contains(&y), "{place}");
        }
    }
}

#[test]
fn a_long_run_makes_a_small_drawing() {
    let long: Vec<(f64, f64)> =
        (1..500_000).map(|step| (f64::from(step), f64::from(step % 1009 * 7919 % 1000))).collect();
    let mut log = chart(vec![series("", &long)]);
    log.log_x = true;
    assert!(svg(&[chart(vec![series("", &long)]), log]).len() < 120_000);
}
