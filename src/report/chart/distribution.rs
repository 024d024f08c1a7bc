//! Distributions of response times over each other: shares towards the right, in nines, so that the tail has room; times upwards, by
//! powers of ten.

use super::scale::{fit, text_width};
use super::svg::{Svg, point_into};
use crate::report::number::latency;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 236.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 534.0;
/// The size of text.
const FONT: f64 = 12.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 200.0;
/// The largest share that has a place on the axis: that of all would be infinitely far.
const SHARE_MAX: f64 = 0.999_999;
/// The shares that the axis names.
const MARKS: [(f64, &str); 6] =
    [(0.0, "0"), (0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99")];
/// Where within a power of ten a line stands.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];
/// How many lines across are enough.
const LINES_MAX: usize = 9;

/// A distribution: its name, and its points (a share from 0 to 1, a time in milliseconds) in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Its name.
    pub name: String,
    /// Its points.
    pub points: Vec<(f64, f64)>,
}

fn key_width(name: &str) -> f64 {
    42.0 + text_width(name, FONT)
}

/// Draws at most four curves over each other; nothing where none has a point. `key` tells apart the charts of one page; `heading`
/// stands over it.
#[must_use]
pub fn draw_distribution(key: &str, heading: &str, curves: &[Curve]) -> String {
    let times = curves.iter().flat_map(|curve| curve.points.iter().map(|(_, ms)| *ms)).filter(|ms| *ms > 0.0);
    let (lowest, highest) = times.fold((f64::INFINITY, 0.0_f64), |(low, high), ms| (low.min(ms), high.max(ms)));
    if !lowest.is_finite() {
        return String::new();
    }
    let (from, to) = ((lowest * 0.9).log10(), (highest * 1.1).log10());
    let y_of = |ms: f64| BOTTOM - (BOTTOM - TOP) * ((ms.max(lowest).log10() - from) / (to - from)).clamp(0.0, 1.0);
    let nines = |share: f64| -(1.0 - share.clamp(0.0, SHARE_MAX)).log10();
    let shares = curves.iter().flat_map(|curve| curve.points.iter().map(|(share, _)| *share));
    let last = nines(shares.fold(0.9, f64::max));
    let x_of = |share: f64| LEFT + (RIGHT - LEFT) * (nines(share) / last).clamp(0.0, 1.0);

    let mut svg = Svg::default();
    svg.element("svg", "gd-chart")
        .attribute("xmlns", "http://www.w3.org/2000/svg")
        .attribute("viewBox", &format!("0 0 {WIDTH} {HEIGHT}"))
        .attribute("role", "img")
        .attribute("aria-labelledby", &format!("gd-{key}-title"))
        .open();
    svg.element("title", "gd-title")
        .attribute("id", &format!("gd-{key}-title"))
        .text("title", &format!("Response times of {heading}"));
    for ms in lines(from, to) {
        let y = y_of(ms);
        svg.line("gd-rule", [LEFT, y, RIGHT, y]);
        svg.text("gd-axis", [LEFT - 6.0, y + 4.0], "end", &latency(ms));
    }
    for (share, name) in MARKS.iter().filter(|(share, _)| nines(*share) <= last + 0.01) {
        let x = x_of(*share);
        svg.line("gd-grid", [x, TOP, x, BOTTOM]);
        svg.text("gd-axis", [x, BOTTOM + 16.0], "middle", name);
    }
    let keys: f64 = curves.iter().map(|curve| key_width(&curve.name)).sum();
    svg.text("gd-heading", [LEFT, 18.0], "start", &fit(heading, FONT, RIGHT - LEFT - keys - 16.0));
    let mut x = RIGHT - keys;
    for (index, curve) in curves.iter().enumerate() {
        let class = format!("gd-line gd-s{}", index % 4);
        let mut path = String::new();
        for (index, (share, ms)) in curve.points.iter().enumerate() {
            point_into(&mut path, if index == 0 { 'M' } else { 'L' }, x_of(*share), y_of(*ms));
        }
        if path.is_empty() {
            continue;
        }
        svg.path(&class, &path);
        svg.line(&class, [x, 14.0, x + 20.0, 14.0]);
        svg.text("gd-key", [x + 26.0, 18.0], "start", &curve.name);
        x += key_width(&curve.name);
    }
    svg.close("svg");
    svg.into_text()
}

/// The times at which lines go across, thinned out to those that have room.
fn lines(from: f64, to: f64) -> Vec<f64> {
    let mut power = 10_f64.powf(from.floor());
    let mut lines = Vec::new();
    while power.log10() <= to && lines.len() < 100 {
        lines.extend(STEPS.iter().map(|step| step * power).filter(|ms| (from..=to).contains(&ms.log10())));
        power *= 10.0;
    }
    if lines.len() > LINES_MAX {
        lines.retain(|ms| (ms.log10() - ms.log10().round()).abs() < 1e-9);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(name: &str, points: &[(f64, f64)]) -> Curve {
        Curve { name: name.to_owned(), points: points.to_vec() }
    }

    #[test]
    fn curves_lie_over_each_other_and_what_has_no_point_is_left_out() {
        let svg = draw_distribution(
            "a",
            "<b>",
            &[curve("before", &[(0.5, 20.0), (0.99, 400.0)]), curve("after & now", &[(0.5, 25.0)]), curve("none", &[])],
        );
        assert_eq!(svg.matches("<path").count(), 2);
        assert!(svg.contains("&lt;b&gt;") && svg.contains("after &amp; now") && !svg.contains("none"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert_eq!(draw_distribution("a", "t", &[curve("none", &[])]), "");
        let strange = draw_distribution("a", "t", &[curve("x", &[(0.0, 0.0), (0.5, 1e-9), (1.0, 1e12)])]);
        assert!(!strange.contains("NaN") && strange.len() < 10_000, "{strange}");
    }
}
