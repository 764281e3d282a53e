//! A series as a path: gaps where points are missing, dots where one stands alone, and no more
//! points than can be seen.
//!
//! ```text
//! (0,1) (1,2) – (3,1) – (5,4) (6,5)   →   M0,1 1,2 M5,4 6,5   and a dot at 3,1
//! ```

/// Points of a series that are drawn as they are; longer series are thinned.
const MOST: usize = 4000;

/// The width of the columns in which only the ends and the extremes of a curve are kept, in units
/// of the drawing: about what a pixel is where the drawing is shown large.
const COLUMN: f64 = 0.5;

/// A place in the drawing.
pub type ChartPoint = (f64, f64);

/// A series in units of the drawing; `None` is a gap.
pub fn path(points: Vec<Option<ChartPoint>>) -> (String, Vec<ChartPoint>) {
    let mut path = String::new();
    let mut dots = Vec::new();
    for run in thin(points).split(Option::is_none) {
        let run: Vec<ChartPoint> = run.iter().copied().flatten().collect();
        match run[..] {
            [] => {}
            [point] => dots.push(point),
            _ => {
                path.push('M');
                let places: Vec<String> =
                    run.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
                path.push_str(&places.join(" "));
            }
        }
    }
    (path, dots)
}

/// Dots at these places, all in one path: lines without length, whose ends are round.
pub fn dots(places: impl Iterator<Item = ChartPoint>) -> String {
    places.map(|(x, y)| format!("M{x:.1},{y:.1}h0")).collect()
}

/// Bars on a base line; each place is the left end of a bar's top, the last one the right end of all.
pub fn bars(places: impl Iterator<Item = ChartPoint>, base: f64) -> String {
    let places: Vec<ChartPoint> = places.collect();
    let bar = |pair: &[ChartPoint]| {
        let ((left, top), right) = (pair[0], pair[1].0);
        // A gap as wide as a hair tells neighbours apart.
        let right = right - (right - left).min(1.0) / 2.0;
        format!("M{left:.1},{base:.1}V{top:.1}H{right:.1}V{base:.1}z")
    };
    places.windows(2).filter(|pair| pair[0].1 != base).map(bar).collect()
}

/// A series of at most [`MOST`] points and gaps that looks the same: of the points in each narrow
/// column of the drawing, the first, the lowest, the highest and the last are kept, so no spike is
/// lost. Gaps within a column are narrower than the line and are closed.
fn thin(points: Vec<Option<ChartPoint>>) -> Vec<Option<ChartPoint>> {
    if points.len() <= MOST {
        return points;
    }
    let by_column = buckets(&points, |_, (x, _)| (x / COLUMN) as usize);
    if by_column.len() <= MOST {
        return by_column;
    }
    // A series that goes to and fro: each bucket becomes five entries at most.
    let size = points.len().div_ceil(MOST / 5);
    buckets(&points, |index, _| index / size)
}

/// Thins neighbours that are in the same bucket.
fn buckets(
    points: &[Option<ChartPoint>],
    bucket: impl Fn(usize, ChartPoint) -> usize,
) -> Vec<Option<ChartPoint>> {
    let mut kept = Vec::new();
    let mut current: Vec<ChartPoint> = Vec::new();
    let (mut name, mut gap) = (0, false);
    for (index, point) in points.iter().enumerate() {
        let Some(point) = *point else {
            gap = true;
            continue;
        };
        let bucket = bucket(index, point);
        if bucket != name && !current.is_empty() {
            extremes(&current, &mut kept);
            current.clear();
            if gap {
                kept.push(None);
            }
        }
        (name, gap) = (bucket, false);
        current.push(point);
    }
    extremes(&current, &mut kept);
    kept
}

/// The first, the lowest, the highest and the last of some points, in their order.
fn extremes(points: &[ChartPoint], kept: &mut Vec<Option<ChartPoint>>) {
    let indices = || 0..points.len();
    let by_height = |&a: &usize, &b: &usize| points[a].1.total_cmp(&points[b].1);
    let (Some(low), Some(high)) = (indices().min_by(by_height), indices().max_by(by_height)) else {
        return;
    };
    let mut chosen = [0, low.min(high), low.max(high), points.len() - 1].to_vec();
    chosen.dedup();
    kept.extend(chosen.into_iter().map(|index| Some(points[index])));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_part_the_path_and_lone_points_are_dots() {
        let point = |x: f64, y: f64| Some((x, y));
        let series = [point(0.0, 1.0), point(1.0, 2.25), None, point(3.0, 1.0), None, None];
        let more = [point(5.0, 4.0), point(6.0, 5.0)];
        let (path, dots) = path([&series[..], &more[..]].concat());
        assert_eq!(path, "M0.0,1.0 1.0,2.2M5.0,4.0 6.0,5.0");
        assert_eq!(dots, [(3.0, 1.0)]);
    }

    #[test]
    fn dots_are_lines_without_length_and_bars_stand_on_their_base() {
        assert_eq!(dots([(1.0, 2.0), (3.0, 4.0)].into_iter()), "M1.0,2.0h0M3.0,4.0h0");
        let tops = [(0.0, 10.0), (4.0, 50.0), (8.0, 20.0), (12.0, 50.0)];
        let expected = "M0.0,50.0V10.0H3.5V50.0zM8.0,50.0V20.0H11.5V50.0z";
        assert_eq!(bars(tops.into_iter(), 50.0), expected);
    }

    #[test]
    fn long_series_keep_their_spikes() {
        let count = 1_000_000;
        let wave = |index: usize| {
            let height = if index == 345_678 { 0.0 } else { 50.0 + (index % 10) as f64 };
            Some((400.0 * index as f64 / count as f64, height))
        };
        let thinned = thin((0..count).map(wave).collect());
        assert!(thinned.len() <= MOST, "{}", thinned.len());
        let spikes = thinned.iter().flatten().filter(|(_, y)| *y == 0.0).count();
        assert_eq!(spikes, 1);
        assert_eq!(thinned.first(), Some(&wave(0)));
        assert_eq!(thinned.last(), Some(&wave(count - 1)));
        assert!(thinned.is_sorted_by(|a, b| a.map(|p| p.0) <= b.map(|p| p.0)));
    }

    #[test]
    fn a_gap_that_can_be_seen_stays() {
        let series = (0..100_000).map(|index| {
            let seen = !(40_000..50_000).contains(&index);
            seen.then_some((index as f64 / 250.0, 1.0))
        });
        let thinned = thin(series.collect());
        assert_eq!(thinned.iter().filter(|point| point.is_none()).count(), 1);
    }

    #[test]
    fn series_that_go_to_and_fro_or_are_all_gaps_are_bounded_too() {
        let scattered =
            (0..500_000usize).map(|index| Some(((index * 7919 % 400) as f64, index as f64)));
        assert!(thin(scattered.collect()).len() <= MOST);
        let holes = (0..500_000usize)
            .map(|index| (index % 2 == 0).then_some(((index * 7919 % 400) as f64, index as f64)));
        assert!(thin(holes.collect()).len() <= MOST);
        assert!(thin(vec![None; 500_000]).is_empty());
    }
}
