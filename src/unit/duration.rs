//! Durations as people write them: `250ms`, `90s`, `5m`, `2h`, `3d`, `1m30s`. A unit is always needed.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::time::Duration;

use super::{UnitError, text_type};

const REMEDY: &str = "write a number and a unit, as in `250ms`, `90s`, `5m`, `2h`, `30d` or `1m30s`";

/// The units in falling order with their length in milliseconds; each may stand once, larger before smaller.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The longest duration that a file may ask for: 366 days.
const DURATION_MILLIS_MAX: u64 = 366 * 86_400_000;

/// Reads a duration such as `90s`, `1.5s` or `1m30s`.
///
/// # Errors
/// A number with no unit, an unknown unit, units out of order, or more than 366 days.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let fail = |problem: String| UnitError::new(problem, REMEDY);
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(fail("the duration is empty".to_owned()));
    }
    let mut total = Duration::ZERO;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_len);
        let unit_len = after.find(|c: char| !c.is_ascii_alphabetic() && c != 'µ').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        if number.is_empty() {
            return Err(fail(format!("`{text}` is not a duration")));
        }
        if unit.is_empty() {
            return Err(fail(format!("`{text}` has no unit")));
        }
        let value: f64 = number.parse().map_err(|_| fail(format!("`{number}` is not a number")))?;
        let Some((_, millis)) = units.find(|(name, _)| *name == unit) else {
            let known = UNITS.iter().any(|(name, _)| *name == unit);
            return Err(fail(if known {
                format!("the units in `{text}` are out of order")
            } else {
                format!("`{unit}` in `{text}` is not a unit of time")
            }));
        };
        #[expect(clippy::cast_precision_loss, reason = "the units are far below 2^52")]
        let part = Duration::try_from_secs_f64(value * *millis as f64 / 1_000.0)
            .map_err(|_| fail(format!("`{text}` is too long")))?;
        total = total.checked_add(part).ok_or_else(|| fail(format!("`{text}` is too long")))?;
        rest = after;
    }
    if total > Duration::from_millis(DURATION_MILLIS_MAX) {
        return Err(UnitError::new(format!("`{text}` is too long"), "stay at or below 366 days"));
    }
    Ok(total)
}

/// Writes a duration as [`parse_duration`] reads it, nothing rounded: `1m30s`, `250ms`, `1.5ms`, `0s`.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    use fmt::Write as _;
    if duration.is_zero() {
        return "0s".to_owned();
    }
    let mut millis = super::elapsed_ms(duration);
    let fraction = format!("{:06}", duration.subsec_nanos() % 1_000_000);
    let fraction = fraction.trim_end_matches('0');
    let mut text = String::new();
    for (unit, length) in UNITS {
        let count = millis / length;
        millis %= length;
        let fraction = if unit == "ms" { fraction } else { "" };
        let point = if fraction.is_empty() { "" } else { "." };
        if count > 0 || !fraction.is_empty() {
            write!(text, "{count}{point}{fraction}{unit}").expect("invariant: writing to a string does not fail");
        }
    }
    text
}

/// A [`Duration`] that is text in a file: `90s`, `5m`, `1m30s`. The unit is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DurationText(pub Duration);

impl Deref for DurationText {
    type Target = Duration;

    fn deref(&self) -> &Duration {
        &self.0
    }
}

impl From<Duration> for DurationText {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl FromStr for DurationText {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        parse_duration(text).map(Self)
    }
}

impl fmt::Display for DurationText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&format_duration(self.0))
    }
}

text_type!(DurationText, "Duration", "a duration", r"^\s*([0-9.]+(ms|s|m|h|d))+\s*$", "5m");

/// A range of durations from which one is drawn evenly: `1s..3s`, or a single `2s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationRange {
    /// The shortest, included.
    pub least: Duration,
    /// The longest, included; never below `least`.
    pub most: Duration,
}

impl FromStr for DurationRange {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (least, most) = match text.split_once("..") {
            Some((least, most)) => (parse_duration(least)?, parse_duration(most)?),
            None => (parse_duration(text)?, parse_duration(text)?),
        };
        if most < least {
            return Err(UnitError::new(format!("`{text}` ends before it starts"), "write the shorter duration first"));
        }
        Ok(Self { least, most })
    }
}

impl fmt::Display for DurationRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", format_duration(self.least))?;
        if self.most != self.least {
            write!(formatter, "..{}", format_duration(self.most))?;
        }
        Ok(())
    }
}

text_type!(
    DurationRange,
    "DurationRange",
    "a duration or a range of durations",
    r"^\s*([0-9.]+(ms|s|m|h|d))+\s*(\.\.\s*([0-9.]+(ms|s|m|h|d))+\s*)?$",
    "1s..3s"
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_duration_needs_a_known_unit_in_order() {
        assert_eq!(parse_duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert_eq!(parse_duration("0s"), Ok(Duration::ZERO));
        for (text, problem) in [
            ("90", "`90` has no unit"),
            ("90 s", "`90 s` has no unit"),
            ("5 minutes", "`5 minutes` has no unit"),
            ("5minutes", "`minutes` in `5minutes` is not a unit of time"),
            ("30s1m", "the units in `30s1m` are out of order"),
            ("1..2s", "`1..2` is not a number"),
            ("-1s", "`-1s` is not a duration"),
            ("9999999d", "`9999999d` is too long"),
            ("", "the duration is empty"),
        ] {
            assert_eq!(parse_duration(text).map_err(|error| error.problem), Err(problem.to_owned()), "{text}");
        }
    }

    #[test]
    fn nothing_of_a_duration_is_rounded_away() {
        for text in ["0s", "0.4ms", "1.5ms", "1s0.000001ms", "1m30s", "2h1m0.25ms"] {
            assert_eq!(parse_duration(text).map(format_duration), Ok(text.to_owned()));
        }
        assert_eq!(parse_duration("1.5s").map(format_duration), Ok("1s500ms".to_owned()));
    }

    #[test]
    fn a_range_is_ordered() {
        assert_eq!("2s".parse::<DurationRange>().map(|range| range.to_string()), Ok("2s".to_owned()));
        assert_eq!("1s..3s".parse::<DurationRange>().map(|range| range.to_string()), Ok("1s..3s".to_owned()));
        assert!("3s..1s".parse::<DurationRange>().is_err());
    }

    proptest! {
        #[test]
        fn a_written_duration_reads_back(millis in 0..DURATION_MILLIS_MAX, nanos in 0_u64..1_000_000) {
            for duration in [Duration::from_millis(millis), Duration::from_millis(millis) + Duration::from_nanos(nanos)] {
                prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
            }
        }
    }
}
