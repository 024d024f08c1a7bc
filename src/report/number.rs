//! Numbers as people read them. One place, so that the same number looks the same in every format.

/// A whole number as a float, for ratios and drawing.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts and milliseconds of a run stay far below 2^52")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

/// The quotient `part / whole` to nine decimals, which is what JSON keeps exactly; none of nothing.
#[must_use]
pub(crate) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| nine_decimals(float(part) / float(whole)))
}

/// The number to nine decimals.
#[must_use]
pub(crate) fn nine_decimals(number: f64) -> f64 {
    (number * 1e9).round() / 1e9
}

/// A length of time: `250 ms`, `4.2 s`, `1 min 32 s`, `2 h 05 min`, `3 days`.
#[must_use]
pub(crate) fn duration(millis: u64) -> String {
    let seconds = millis.saturating_add(500) / 1_000;
    if millis < 1_000 {
        format!("{millis} ms")
    } else if millis < 59_950 {
        format!("{} s", trimmed(float(millis) / 1_000.0, 1))
    } else if seconds < 3_600 {
        match (seconds / 60, seconds % 60) {
            (minutes, 0) => format!("{minutes} min"),
            (minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        }
    } else {
        let minutes = (seconds + 30) / 60;
        match (minutes / 60, minutes % 60) {
            (hours, 0) if hours >= 48 && hours.is_multiple_of(24) => format!("{} days", hours / 24),
            (hours, 0) => format!("{hours} h"),
            (hours, minutes) => format!("{hours} h {minutes:02} min"),
        }
    }
}

/// How much longer: `+4.2 s`, `−1 min 30 s`, `±0`.
#[must_use]
pub(crate) fn signed_duration(millis: i64) -> String {
    match millis {
        0 => "±0".to_owned(),
        1.. => format!("+{}", duration(millis.unsigned_abs())),
        _ => format!("−{}", duration(millis.unsigned_abs())),
    }
}

/// A moment of a run on a stop-watch: `00:43`, `1:02:03`; whole seconds, rounded down.
#[must_use]
pub(crate) fn stopwatch(millis: u64) -> String {
    let seconds = millis / 1_000;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes:02}:{seconds:02}") }
}

/// From one moment to another: `00:12–00:37`; where both are in the same second, that one.
#[must_use]
pub(crate) fn span(from_ms: u64, to_ms: u64) -> String {
    let (from, to) = (stopwatch(from_ms), stopwatch(to_ms));
    if from == to { from } else { format!("{from}–{to}") }
}

/// The unit of a number in words, without its plural's `s` for exactly one: `users`, `user`, `per second`.
#[must_use]
pub(crate) fn unit(of: Option<f64>, unit: &str) -> String {
    let is_one = of.is_some_and(|number| decimal(number) == "1");
    let words = unit.replace('_', " ");
    if is_one { words.strip_suffix('s').map_or(words.clone(), ToOwned::to_owned) } else { words }
}

/// A latency: `42 ms`, `2.61 s`.
#[must_use]
pub(crate) fn latency(millis: f64) -> String {
    if millis < 9.95 {
        format!("{} ms", trimmed(millis, 1))
    } else if millis < 999.5 {
        format!("{millis:.0} ms")
    } else {
        format!("{} s", trimmed(millis / 1_000.0, 2))
    }
}

/// A latency to the tenth of a millisecond, from a second on to the millisecond: `200.3 ms`, `2.503 s`.
#[must_use]
pub(crate) fn exact_latency(millis: f64) -> String {
    if millis < 999.95 { format!("{} ms", trimmed(millis, 1)) } else { format!("{} s", trimmed(millis / 1_000.0, 3)) }
}

/// A share in percent: `81.2 %`, `99.95 %`. What is not all never reads as `100 %`, what is not nothing never as `0 %`.
#[must_use]
pub(crate) fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    let text = trimmed(percent, 2);
    match text.as_str() {
        "100" if percent < 100.0 => "> 99.99 %".to_owned(),
        "0" if percent > 0.0 => "< 0.01 %".to_owned(),
        _ => format!("{text} %"),
    }
}

/// A whole number in groups of three: `12,480`.
#[must_use]
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with at most one decimal: `39.7`, `40`.
#[must_use]
pub(crate) fn decimal(number: f64) -> String {
    trimmed(number, 1)
}

/// A figure of a load by its key: a share in percent, a rate, or a time.
#[must_use]
pub(crate) fn figure(key: &str, value: f64) -> Option<String> {
    match key {
        "failed_ratio" => Some(percent(value)),
        "per_second" => Some(format!("{}/s", decimal(value))),
        "p50_ms" | "p99_ms" => Some(latency(value)),
        _ => None,
    }
}

/// A figure's key in words.
#[must_use]
pub(crate) fn figure_name(key: &str) -> Option<&'static str> {
    match key {
        "failed_ratio" => Some("failed"),
        "per_second" => Some("requests"),
        "p50_ms" => Some("p50 of a second, mean"),
        "p99_ms" => Some("p99 of a second, mean"),
        _ => None,
    }
}

/// How much larger a figure is, with its sign: `+1.2 s`, `−3.1 points` (of percent), `±0/s`.
#[must_use]
pub(crate) fn signed_figure(key: &str, difference: f64) -> Option<String> {
    let sign = if difference > 0.0 {
        "+"
    } else if difference < 0.0 {
        "−"
    } else {
        "±"
    };
    let size = match key {
        "failed_ratio" => format!("{} points", trimmed(difference.abs() * 100.0, 2)),
        _ => figure(key, difference.abs())?,
    };
    Some(format!("{sign}{size}"))
}

/// A file's size: `812 B`, `4.2 kB`, `1.3 MB`.
#[must_use]
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [(&str, f64); 3] = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    let size = float(bytes);
    UNITS
        .iter()
        .find(|(_, unit)| size >= *unit)
        .map_or_else(|| format!("{bytes} B"), |(name, unit)| format!("{} {name}", trimmed(size / unit, 1)))
}

fn trimmed(number: f64, digits: usize) -> String {
    let text = format!("{number:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_and_one_second_are_told_as_one() {
        assert_eq!([unit(Some(1.0), "users"), unit(Some(2.0), "users")], ["user", "users"]);
        assert_eq!([unit(Some(1.0), "per_second"), unit(None, "users")], ["per second", "users"]);
        assert_eq!([span(12_000, 37_900), span(49_100, 49_900)], ["00:12–00:37", "00:49"]);
    }

    #[test]
    fn times_read_as_people_say_them() {
        let cases = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_000, "1 s"),
            (4_240, "4.2 s"),
            (59_949, "59.9 s"),
            (59_950, "1 min"),
            (92_000, "1 min 32 s"),
            (3_599_499, "59 min 59 s"),
            (3_600_000, "1 h"),
            (7_500_000, "2 h 05 min"),
            (86_400_000, "24 h"),
            (259_200_000, "3 days"),
        ];
        for (millis, text) in cases {
            assert_eq!(duration(millis), text);
        }
        assert_eq!(stopwatch(43_999), "00:43");
        assert_eq!(stopwatch(3_723_000), "1:02:03");
    }

    #[test]
    fn almost_all_is_not_all_and_almost_nothing_is_not_nothing() {
        let cases = [(1.0, "100 %"), (0.999_999, "> 99.99 %"), (0.0, "0 %"), (0.000_01, "< 0.01 %"), (0.812, "81.2 %")];
        for (ratio, text) in cases {
            assert_eq!(percent(ratio), text);
        }
        assert_eq!(ratio(1, 0), None);
    }

    #[test]
    fn latencies_counts_and_sizes_have_few_digits() {
        assert_eq!(latency(0.44), "0.4 ms");
        assert_eq!(latency(42.4), "42 ms");
        assert_eq!(latency(999.6), "1 s");
        assert_eq!(latency(2_614.0), "2.61 s");
        assert_eq!([200.34, 0.25, 999.96, 2_503.4].map(exact_latency), ["200.3 ms", "0.2 ms", "1 s", "2.503 s"]);
        assert_eq!(count(7), "7");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(decimal(39.96), "40");
        assert_eq!(bytes(812), "812 B");
        assert_eq!(bytes(4_210), "4.2 kB");
    }
}
