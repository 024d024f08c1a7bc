//! Durations as FIS writes them: ISO 8601, such as `PT5M` or `PT1H30M`.

use std::time::Duration;

const UNITS: [(char, u64); 3] = [('H', 3_600), ('M', 60), ('S', 1)];

const DAY_SECONDS: u64 = 86_400;

/// Reads `PnDTnHnMnS` with whole numbers; at least one of the parts. `None`: it is not such a duration.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let (days, time) = text.strip_prefix('P')?.split_once('T').unwrap_or((text.strip_prefix('P')?, ""));
    let mut seconds = match days {
        "" => 0,
        days => number(days.strip_suffix('D')?)?.checked_mul(DAY_SECONDS)?,
    };
    let mut rest = time;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (count, after) = rest.split_at_checked(end)?;
        let unit = after.chars().next()?;
        let (_, length) = units.find(|(name, _)| *name == unit)?;
        seconds = seconds.checked_add(number(count)?.checked_mul(*length)?)?;
        rest = after.strip_prefix(unit)?;
    }
    (text.ends_with(|c: char| c.is_ascii_alphabetic() && c != 'T' && c != 'P')).then(|| Duration::from_secs(seconds))
}

fn number(text: &str) -> Option<u64> {
    text.chars().all(|c| c.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_minutes_and_seconds_are_read_in_order() {
        for (text, seconds) in [("PT1M", 60), ("PT1H30M", 5_400), ("PT90S", 90), ("P1DT1S", 86_401), ("PT0S", 0)] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "P", "PT", "5M", "PT5", "PTM", "PT1M1H", "PT-1M", "PT1.5M", "pt1m", "P1M", "PT1M ", "P1DT"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
