//! Colours of charts, and the style sheet made of them.
//!
//! The six colours of curves were searched for such that any two differ for normal sight and
//! without red, green or blue cones, and that each stands out from the paper; the tests compute
//! both. Further series have the same colours with other dashes. No variables are used, which
//! programs other than browsers do not know.

use super::SeriesShape;

/// The colours of a scheme.
pub struct Scheme {
    /// Behind everything.
    pub paper: &'static str,
    /// Titles.
    pub ink: &'static str,
    /// Labels.
    pub muted: &'static str,
    /// Lines at ticks.
    pub grid: &'static str,
    /// Curves, in order.
    pub curves: [&'static str; 6],
}

/// On light paper.
pub const LIGHT: Scheme = Scheme {
    paper: "#ffffff",
    ink: "#1b1f24",
    muted: "#57606a",
    grid: "#e3e6ea",
    curves: ["#0072b2", "#d55e00", "#16a678", "#9e1a6f", "#9217f7", "#475600"],
};

/// On dark paper.
pub const DARK: Scheme = Scheme {
    paper: "#14171c",
    ink: "#e8eaed",
    muted: "#a3abb5",
    grid: "#2b3038",
    curves: ["#56b4e9", "#f0803c", "#16ffef", "#ff259e", "#a057ff", "#c1de13"],
};

/// The class of a series: its colour, and the dashes that tell it from others of that colour.
pub fn class(index: usize, shape: SeriesShape) -> String {
    let colours = LIGHT.curves.len();
    let dashed = shape == SeriesShape::Dashed;
    let dashes = match (dashed, index / colours) {
        (false, 0) => "",
        (true, 0) => " dash",
        (false, _) => " dot",
        (true, _) => " dashdot",
    };
    format!("c{}{dashes}", index % colours)
}

/// Rules that hold in both colour schemes.
const SHAPES: &str = "
.nnc-chart{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',sans-serif}
.nnc-chart text{font-size:11px;font-variant-numeric:tabular-nums}
.nnc-chart .title{font-size:13px;font-weight:600}
.nnc-chart .empty{font-size:12px;font-style:italic}
.nnc-chart .mid{text-anchor:middle}
.nnc-chart .end{text-anchor:end}
.nnc-chart .curve{fill:none;stroke-width:1.7;stroke-linejoin:round;stroke-linecap:round}
.nnc-chart .dash{stroke-dasharray:6 4}
.nnc-chart .dot{stroke-dasharray:0.1 4;stroke-width:2.2}
.nnc-chart .dashdot{stroke-dasharray:8 4 0.1 4}
.nnc-chart .point,.nnc-chart .bars{stroke:none}
.nnc-chart .dots{fill:none;stroke-width:4;stroke-linecap:round;stroke-opacity:.5}
.nnc-chart .bars{fill-opacity:.75}
.nnc-chart .grid{stroke-width:1}
.nnc-chart .between{stroke-width:0.5}
.nnc-chart .axis,.nnc-chart .mark{stroke-width:1}
.nnc-chart .mark{stroke-dasharray:2 3}
.nnc-chart .halo{stroke-width:3;stroke-linejoin:round;paint-order:stroke}
";

/// The style sheet. On paper the light scheme is used: printers leave dark backgrounds out.
pub fn sheet() -> String {
    let dark = colours(&DARK);
    format!(
        "{SHAPES}{}@media screen and (prefers-color-scheme:dark){{\n{dark}}}\n",
        colours(&LIGHT)
    )
}

fn colours(scheme: &Scheme) -> String {
    let Scheme { paper, ink, muted, grid, curves } = scheme;
    let mut rules = format!(
        ".nnc-chart .paper{{fill:{paper}}}\n\
         .nnc-chart .title{{fill:{ink}}}\n\
         .nnc-chart text{{fill:{muted}}}\n\
         .nnc-chart .grid,.nnc-chart .between{{stroke:{grid}}}\n\
         .nnc-chart .axis,.nnc-chart .mark{{stroke:{muted}}}\n\
         .nnc-chart .halo{{stroke:{paper}}}\n"
    );
    for (index, colour) in curves.iter().enumerate() {
        rules.push_str(&format!(
            ".nnc-chart .curve.c{index},.nnc-chart .dots.c{index}{{stroke:{colour}}}\n\
             .nnc-chart .point.c{index},.nnc-chart .bars.c{index}{{fill:{colour}}}\n"
        ));
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Matrix times vector.
    fn times(matrix: [[f64; 3]; 3], vector: [f64; 3]) -> [f64; 3] {
        matrix.map(|row| row.iter().zip(vector).map(|(a, b)| a * b).sum())
    }

    /// Red, green and blue as amounts of light.
    fn light(colour: &str) -> [f64; 3] {
        [1, 3, 5].map(|at| {
            let byte = u8::from_str_radix(&colour[at..at + 2], 16).expect("two digits");
            let part = f64::from(byte) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        })
    }

    /// The ratio of luminances, as the Web Content Accessibility Guidelines define it.
    fn contrast(one: &str, other: &str) -> f64 {
        let [one, other] = [one, other].map(|colour| {
            let [red, green, blue] = light(colour);
            0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05
        });
        one.max(other) / one.min(other)
    }

    /// Coordinates in Oklab, in which distances are differences that people see.
    fn oklab(light: [f64; 3]) -> [f64; 3] {
        let cones = [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ];
        let lab = [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ];
        times(lab, times(cones, light.map(|part| part.clamp(0.0, 1.0))).map(f64::cbrt))
    }

    /// Machado, Oliveira and Fernandes (2009): what is seen without one kind of cones.
    const SIGHTS: [(&str, [[f64; 3]; 3]); 4] = [
        ("all cones", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
        (
            "without red",
            [
                [0.152286, 1.052583, -0.204868],
                [0.114503, 0.786281, 0.099216],
                [-0.003882, -0.048116, 1.051998],
            ],
        ),
        (
            "without green",
            [
                [0.367322, 0.860646, -0.227968],
                [0.280085, 0.672501, 0.047413],
                [-0.011820, 0.042940, 0.968881],
            ],
        ),
        (
            "without blue",
            [
                [1.255528, -0.076749, -0.178779],
                [-0.078411, 0.930809, 0.147602],
                [0.004733, 0.691367, 0.303900],
            ],
        ),
    ];

    #[test]
    fn colours_stand_out_from_the_paper() {
        for scheme in [LIGHT, DARK] {
            for colour in scheme.curves {
                let found = contrast(colour, scheme.paper);
                assert!(found >= 3.0, "{colour} on {}: {found}", scheme.paper);
            }
            for text in [scheme.ink, scheme.muted] {
                let found = contrast(text, scheme.paper);
                assert!(found >= 4.5, "{text} on {}: {found}", scheme.paper);
            }
        }
    }

    #[test]
    fn colours_differ_for_whoever_sees_few_of_them() {
        for scheme in [LIGHT, DARK] {
            for (sight, matrix) in SIGHTS {
                let seen = scheme.curves.map(|colour| oklab(times(matrix, light(colour))));
                for (first, second) in (0..6).flat_map(|a| (0..a).map(move |b| (a, b))) {
                    let squares = (0..3).map(|at| (seen[first][at] - seen[second][at]).powi(2));
                    let distance = squares.sum::<f64>().sqrt();
                    let names = (scheme.curves[first], scheme.curves[second]);
                    assert!(distance > 0.1, "{names:?} {sight}: {distance}");
                }
            }
        }
    }

    #[test]
    fn series_of_one_colour_have_other_dashes() {
        let of = |shape| (0..12).map(move |index| class(index, shape));
        let mut classes: Vec<String> = of(SeriesShape::Line).collect();
        classes.extend(of(SeriesShape::Dashed));
        classes.sort();
        classes.dedup();
        assert_eq!(classes.len(), 24);
        let sheet = sheet();
        for class in classes.iter().flat_map(|class| class.split(' ')) {
            assert!(sheet.contains(&format!(".{class}{{")), "{class}");
        }
    }
}
