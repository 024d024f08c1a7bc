//! Where a value or a moment stands: scales, round numbers for axes, and room for text.

use crate::report::number::float;

/// A straight line from values to pixels. It starts at zero, because a cut axis exaggerates.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    max: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// From 0 at `from` to `max` at `to`.
    pub(super) fn new(max: f64, from: f64, to: f64) -> Self {
        Self { max: if max > 0.0 { max } else { 1.0 }, from, to }
    }

    /// The pixel of a value; values outside are put on the edge.
    pub(super) fn at(&self, value: f64) -> f64 {
        self.from + (self.to - self.from) * (value / self.max).clamp(0.0, 1.0)
    }

    /// The pixel of a moment in milliseconds.
    pub(super) fn at_ms(&self, millis: u64) -> f64 {
        self.at(float(millis))
    }
}

/// The smallest of 1, 2, 2.5, 5 times a power of ten that is at least `value`; 1 for nothing.
pub(super) fn round_up(value: f64) -> f64 {
    if !value.is_finite() || value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|step| step * power).find(|it| *it >= value * 0.999_999).unwrap_or(value)
}

/// Steps of a time axis, in milliseconds.
const TIME_STEPS_MS: [u64; 16] = [
    1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000,
    7_200_000, 21_600_000, 86_400_000,
];

/// The most marks that a time axis gets, however long the run was.
const TIME_MARKS_MAX: u64 = 40;

/// The moments to mark on an axis of `length_ms` that has room for `room` marks.
pub(super) fn time_marks(length_ms: u64, room: u64) -> Vec<u64> {
    let room = room.clamp(1, TIME_MARKS_MAX);
    let fits = |step: &&u64| length_ms / **step <= room;
    let step = TIME_STEPS_MS.iter().find(fits).copied().unwrap_or_else(|| (length_ms / room).max(1));
    (0..=length_ms / step).map(|index| index * step).collect()
}

/// The width of a character as a share of the font's size, in the fonts that pages use: wide enough for most text.
const CHARACTER_EM: f64 = 0.56;

/// How wide a text will be, about: fonts differ, and East Asian characters are as wide as high.
pub(super) fn text_width(text: &str, font: f64) -> f64 {
    text.chars().map(|character| if u32::from(character) >= 0x1100 { 1.0 } else { CHARACTER_EM }).sum::<f64>() * font
}

/// The text, cut with an ellipsis so that it fits into `width`; empty where not even two characters would.
pub(super) fn fit(text: &str, font: f64, width: f64) -> String {
    if text_width(text, font) <= width {
        return text.to_owned();
    }
    let mut fitted = String::new();
    for character in text.chars() {
        fitted.push(character);
        if text_width(&fitted, font) + font * CHARACTER_EM > width {
            fitted.pop();
            break;
        }
    }
    if fitted.chars().count() < 2 { String::new() } else { format!("{}…", fitted.trim_end()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, round) in [(0.0, 1.0), (0.7, 1.0), (21.0, 25.0), (40.0, 50.0), (1_000.0, 1_000.0), (f64::NAN, 1.0)]
        {
            assert!((round_up(value) - round).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn a_run_of_twenty_seconds_and_one_of_three_hours_have_few_marks() {
        assert_eq!(
            time_marks(20_000, 10),
            [0, 2_000, 4_000, 6_000, 8_000, 10_000, 12_000, 14_000, 16_000, 18_000, 20_000]
        );
        assert_eq!(time_marks(10_800_000, 12).len(), 13);
        assert_eq!(time_marks(0, 10), [0]);
        assert!(time_marks(u64::MAX, 10).len() <= 41);
    }

    #[test]
    fn a_long_name_is_cut_and_a_hopeless_one_left_out() {
        assert_eq!(fit("baseline", 10.0, 100.0), "baseline");
        assert_eq!(fit("baseline", 10.0, 35.0), "basel…");
        assert_eq!(fit("baseline", 10.0, 8.0), "");
    }
}
