//! The canvas, and the lanes of numbers: target and achieved, failures, latency.

use super::scale::{Scale, fit, round_up, text_width};
use super::series::{LINE_POINTS_MAX, Point, pieces};
use super::svg::{Svg, point_into};
use super::{BoundBand, Layout, LoadLine, LoadPoint, QualityPoint, TargetUnit};
use crate::report::number::{decimal, float, latency, percent};

/// How far the values of an axis stand before it, in pixels.
pub(super) const AXIS_GAP: f64 = 6.0;
/// How many loads have lines; more would be a tangle, and the tables have them all.
const LOADS_MAX: usize = 4;
/// The smallest top of the failure lane, so that one failure in a thousand does not look like an outage.
const FAILURE_RATIO_TOP_MIN: f64 = 0.05;

/// A drawing that grows downwards.
pub(super) struct Canvas {
    pub(super) svg: Svg,
    pub(super) layout: Layout,
    pub(super) time: Scale,
    pub(super) length_ms: u64,
    /// Where the next lane begins.
    pub(super) y: f64,
}

impl Canvas {
    pub(super) fn new(layout: Layout, time: Scale, length_ms: u64) -> Self {
        Self { svg: Svg::default(), layout, time, length_ms, y: 2.0 }
    }

    /// The pixels of a stretch of time.
    pub(super) fn span(&self, from_ms: u64, to_ms: u64) -> (f64, f64) {
        (self.time.at_ms(from_ms), self.time.at_ms(to_ms.max(from_ms)))
    }

    /// The width of a text in the canvas's font.
    pub(super) fn text_width(&self, text: &str) -> f64 {
        text_width(text, self.layout.font)
    }

    /// Writes a lane's name, and moves below it.
    pub(super) fn heading(&mut self, text: &str) {
        let text = fit(text, self.layout.font, self.layout.width - 4.0);
        self.svg.text("gd-heading", [2.0, self.y + 20.0], "start", &text);
        self.y += 33.0;
    }

    /// The second line of a heading: how to read the lane, with a swatch for each class.
    pub(super) fn key(&mut self, entries: &[(&str, &str)]) {
        let mut x = 2.0;
        self.y -= 7.0;
        for (class, words) in entries {
            let width = 22.0 + self.text_width(words) + 14.0;
            if x > 2.0 && x + width > self.layout.width {
                x = 2.0;
                self.y += 17.0;
            }
            self.swatch(class, x);
            self.svg.text("gd-key", [x + 22.0, self.y + 12.0], "start", words);
            x += width;
        }
        self.y += 24.0;
    }

    fn swatch(&mut self, class: &str, x: f64) {
        let y = self.y;
        if class.starts_with("gd-line") || class.starts_with("gd-target") || class.starts_with("gd-bound") {
            self.svg.line(class, [x, y + 8.0, x + 17.0, y + 8.0]);
        } else if class.starts_with("gd-due") {
            self.svg.line(class, [x + 8.0, y + 2.0, x + 8.0, y + 14.0]);
        } else {
            self.svg.rectangle(class, [x, y + 3.0, 17.0, 10.0]);
        }
    }

    /// The ground of a lane of numbers: lines at nothing, half and all, with their values. Returns its scale.
    fn plot(&mut self, height: f64, max: f64, value: impl Fn(f64) -> String) -> Scale {
        let (top, bottom) = (self.y, self.y + height);
        for (share, text) in [(0.0, value(0.0)), (0.5, value(max / 2.0)), (1.0, value(max))] {
            let y = bottom - height * share;
            self.svg.line(if share > 0.0 { "gd-rule" } else { "gd-base" }, [self.layout.left, y, self.layout.right, y]);
            self.svg.text("gd-axis", [self.layout.left - AXIS_GAP, y + 4.0], "end", &text);
        }
        self.y = bottom + 8.0;
        Scale::new(max, bottom, top)
    }

    /// The middle of a second on the time axis.
    fn second(&self, second: u64) -> f64 {
        self.time.at_ms(second.saturating_mul(1_000).saturating_add(500))
    }

    /// A line, broken where seconds are missing; a lone second is a dot. With `ground`, what is below is filled.
    fn series(&mut self, class: &str, points: &[Point], scale: Scale, ground: Option<&str>) {
        let mut line = String::new();
        let mut area = String::new();
        for piece in pieces(points, LINE_POINTS_MAX) {
            let (Some(first), Some(last)) = (piece.first(), piece.last()) else { continue };
            for (index, (second, value)) in piece.iter().enumerate() {
                let (x, y) = (self.second(*second), scale.at(*value));
                point_into(&mut line, if index == 0 { 'M' } else { 'L' }, x, y);
                if index == 0 {
                    point_into(&mut area, 'M', x, scale.at(0.0));
                }
                point_into(&mut area, 'L', x, y);
            }
            point_into(&mut area, 'L', self.second(last.0), scale.at(0.0));
            area.push('Z');
            if piece.len() == 1 {
                // A line of no length is drawn as a dot, because its ends are round.
                point_into(&mut line, 'L', self.second(first.0), scale.at(first.1));
            }
        }
        if line.is_empty() {
            return;
        }
        if let Some(ground) = ground {
            self.svg.path(ground, &area);
        }
        self.svg.path(class, &line);
    }

    fn nothing(&mut self) {
        let y = self.y + 8.0;
        self.svg.text("gd-key", [self.layout.left, y], "start", "nothing was recorded");
        self.y += 16.0;
    }
}

fn points(load: &LoadLine, value: impl Fn(&LoadPoint) -> f64) -> Vec<Point> {
    load.points.iter().map(|point| (point.second, value(point))).filter(|(_, value)| value.is_finite()).collect()
}

fn largest(points: &[Point]) -> f64 {
    points.iter().map(|(_, value)| *value).fold(0.0, f64::max)
}

/// What each load was asked for, and what came of it.
pub(super) fn load_lanes(canvas: &mut Canvas, loads: &[LoadLine]) {
    for load in loads.iter().take(LOADS_MAX) {
        let completed = points(load, |point| point.completed);
        let target = points(load, |point| point.target);
        let same_axis = load.target == TargetUnit::PerSecond;
        if !same_axis && !target.is_empty() {
            let what = if load.target == TargetUnit::Users { "users (target)" } else { "target of its shape" };
            canvas.heading(&format!("{}: {what}", load.name));
            let scale = canvas.plot(canvas.layout.plot_height * 0.45, round_up(largest(&target)), decimal);
            canvas.series("gd-target", &target, scale, Some("gd-area gd-area-target"));
        }
        canvas.heading(&format!("{}: requests completed a second", load.name));
        if completed.is_empty() {
            canvas.nothing();
            continue;
        }
        if same_axis {
            canvas.key(&[("gd-line gd-s0", "completed"), ("gd-target", "target: arrivals a second")]);
        }
        let max = if same_axis { largest(&target).max(largest(&completed)) } else { largest(&completed) };
        let scale = canvas.plot(canvas.layout.plot_height, round_up(max), decimal);
        canvas.series("gd-line gd-s0", &completed, scale, Some("gd-area gd-area-0"));
        if same_axis {
            canvas.series("gd-target", &target, scale, None);
        }
    }
    if loads.len() > LOADS_MAX {
        canvas.heading(&format!("{} more loads are in the table", loads.len() - LOADS_MAX));
    }
}

/// A line of a lane that several loads and steps share.
struct Line {
    name: String,
    points: Vec<Point>,
}

/// One line for each load and for each of its steps that has one, at most four.
fn lines(loads: &[LoadLine], value: impl Fn(&QualityPoint) -> Option<f64>) -> Vec<Line> {
    let of = |name: &str, points: &mut dyn Iterator<Item = &QualityPoint>| Line {
        name: name.to_owned(),
        points: points.filter_map(|point| Some((point.second, value(point).filter(|it| it.is_finite())?))).collect(),
    };
    let loads = loads.iter().flat_map(|load| {
        let whole = of(&load.name, &mut load.points.iter().map(|point| &point.quality));
        let steps = load.steps.iter().map(|step| of(&step.name, &mut step.points.iter()));
        std::iter::once(whole).chain(steps.collect::<Vec<Line>>())
    });
    loads.take(LOADS_MAX).collect()
}

/// The share of requests that failed.
pub(super) fn failure_lane(canvas: &mut Canvas, loads: &[LoadLine], bounds: &[BoundBand]) {
    let bounds: Vec<&BoundBand> = bounds.iter().filter(|bound| !bound.is_latency).collect();
    let lines = lines(loads, |point| point.failed_ratio);
    number_lane(canvas, "Failed requests", &lines, &bounds, FAILURE_RATIO_TOP_MIN, percent);
}

/// The 99th percentile of latency.
pub(super) fn latency_lane(canvas: &mut Canvas, loads: &[LoadLine], bounds: &[BoundBand]) {
    let bounds: Vec<&BoundBand> = bounds.iter().filter(|bound| bound.is_latency).collect();
    let lines = lines(loads, |point| point.p99_ms);
    number_lane(canvas, "Latency, p99 of each second", &lines, &bounds, 1.0, latency);
}

fn number_lane(
    canvas: &mut Canvas,
    heading: &str,
    lines: &[Line],
    bounds: &[&BoundBand],
    top_min: f64,
    words: fn(f64) -> String,
) {
    if lines.iter().all(|line| line.points.is_empty()) {
        return;
    }
    canvas.heading(heading);
    let classes: Vec<String> = (0..lines.len()).map(|index| format!("gd-line gd-s{index}")).collect();
    let mut key: Vec<(&str, &str)> = Vec::new();
    if lines.len() > 1 {
        key.extend(classes.iter().zip(lines).map(|(class, line)| (class.as_str(), line.name.as_str())));
    }
    if !bounds.is_empty() {
        key.extend([("gd-bound", "bound"), ("gd-forbidden", "forbidden by it")]);
    }
    if !key.is_empty() {
        canvas.key(&key);
    }
    let value_max = lines.iter().map(|line| largest(&line.points)).fold(top_min, f64::max);
    // A bound gets room above it, so that its forbidden side can be seen.
    let bound_max = bounds.iter().map(|bound| bound.value * 1.15).fold(0.0, f64::max);
    let max = round_up(value_max.max(bound_max));
    let max = if top_min < 1.0 { max.min(1.0) } else { max };
    let top = canvas.y;
    let scale = canvas.plot(canvas.layout.plot_height, max, words);
    bound_bands(canvas, bounds, scale, top);
    for (class, line) in classes.iter().zip(lines) {
        canvas.series(class, &line.points, scale, None);
    }
    bound_labels(canvas, bounds, scale, top);
}

/// The forbidden side of each bound over its window.
fn bound_bands(canvas: &mut Canvas, bounds: &[&BoundBand], scale: Scale, top: f64) {
    for bound in bounds {
        let (from, to) = canvas.span(bound.from_ms, bound.to_ms);
        let y = scale.at(bound.value);
        let (shade_top, shade_bottom) = if bound.forbids_above { (top, y) } else { (y, scale.at(0.0)) };
        canvas.svg.rectangle("gd-forbidden", [from, shade_top, to - from, shade_bottom - shade_top]);
        canvas.svg.line("gd-bound", [from, y, to, y]);
    }
}

/// The label of each bound, above or below its line, at its left or right, wherever it covers no other first.
fn bound_labels(canvas: &mut Canvas, bounds: &[&BoundBand], scale: Scale, top: f64) {
    let bottom = scale.at(0.0);
    let (left_edge, right_edge) = (canvas.layout.left + 2.0, canvas.layout.right - 2.0);
    let height = canvas.layout.font + 2.0;
    let mut taken: Vec<[f64; 3]> = Vec::new();
    for bound in bounds {
        let (from, to) = canvas.span(bound.from_ms, bound.to_ms);
        let y = scale.at(bound.value);
        let text = fit(&bound.label, canvas.layout.font, right_edge - left_edge);
        let width = canvas.text_width(&text);
        let left = (from + 4.0).min(right_edge - width).max(left_edge);
        let right = (to - width - 4.0).max(left_edge);
        let places = [[left, y - 4.0], [right, y - 4.0], [left, y + height], [right, y + height]];
        let place = places.into_iter().find(|[x, base]| {
            let inside = *base - height >= top - 2.0 && *base <= bottom;
            let covers = |[other_x, other_base, other_width]: &[f64; 3]| {
                overlaps((*x, *x + width), (*other_x, other_x + other_width)) && (base - other_base).abs() < height
            };
            inside && !taken.iter().any(covers)
        });
        if let Some([x, base]) = place {
            canvas.svg.text("gd-bound-name", [x, base], "start", &text);
            taken.push([x, base, width]);
        }
    }
}

/// Whether two stretches of a row overlap, with a gap between them.
pub(super) fn overlaps(left: (f64, f64), right: (f64, f64)) -> bool {
    const GAP: f64 = 6.0;
    left.0 < right.1 + GAP && right.0 < left.1 + GAP
}

/// A row's place below the lane's top.
pub(super) fn row_y(top: f64, row: usize, height: f64) -> f64 {
    top + float(u64::try_from(row).unwrap_or(u64::MAX)) * height
}
