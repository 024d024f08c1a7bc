//! How long somebody rests: the same each time, drawn evenly from a range, or drawn as of people who know nothing of a clock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{DurationRange, DurationText, UnitError, format_duration, parse_duration, text_type};

/// A rest: `2s`, drawn evenly from `1s..3s`, or drawn from the exponential distribution whose mean is `exp(2s)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Evenly from a range, or always the same.
    Even(DurationRange),
    /// Exponentially: mostly short and now and then long, without a limit.
    Exponential {
        /// What many draws are on average.
        mean: DurationText,
    },
}

impl Rest {
    /// The rest that a draw stands for; `share` is drawn evenly from 0 to 1, the latter excluded.
    #[must_use]
    pub fn at(self, share: f64) -> Duration {
        match self {
            Self::Even(DurationRange { least, most }) => least + (most - least).mul_f64(share.clamp(0.0, 1.0)),
            // The inverse of the distribution function; the least share that is left is 2^-53, so that it stays below 37 means.
            Self::Exponential { mean } => mean.mul_f64(-(1.0 - share).clamp(f64::EPSILON / 2.0, 1.0).ln()),
        }
    }
}

impl FromStr for Rest {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let mean = text.trim().strip_prefix("exp(").map(|rest| rest.strip_suffix(')'));
        match mean {
            None => text.parse().map(Self::Even),
            Some(Some(mean)) => parse_duration(mean).map(|mean| Self::Exponential { mean: mean.into() }),
            Some(None) => Err(UnitError::new(format!("`{text}` is not closed"), "write it as in `exp(2s)`")),
        }
    }
}

impl fmt::Display for Rest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Even(range) => range.fmt(formatter),
            Self::Exponential { mean } => write!(formatter, "exp({})", format_duration(mean.0)),
        }
    }
}

text_type!(
    Rest,
    "Rest",
    "a duration, a range of durations, or the mean of a random one",
    r"^\s*(exp\(([0-9.]+(ms|s|m|h|d))+\)|([0-9.]+(ms|s|m|h|d))+\s*(\.\.\s*([0-9.]+(ms|s|m|h|d))+)?)\s*$",
    "1s..3s"
);

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(text: &str) -> Rest {
        text.parse().unwrap()
    }

    #[test]
    fn a_rest_is_read_as_it_is_written() {
        for text in ["2s", "1s..3s", "exp(2s)", "exp(1m30s)"] {
            assert_eq!(rest(text).to_string(), text);
        }
        for text in ["exp(2)", "exp(2s", "exp()", "3s..1s", "soon"] {
            assert!(text.parse::<Rest>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_even_rest_lies_within_its_range() {
        assert_eq!(rest("2s").at(0.7), Duration::from_secs(2));
        assert_eq!(rest("1s..3s").at(0.0), Duration::from_secs(1));
        assert_eq!(rest("1s..3s").at(0.5), Duration::from_secs(2));
    }

    #[test]
    fn a_random_rest_has_its_mean_and_its_median() {
        let draws = 10_000_u32;
        let total: Duration =
            (0..draws).map(|draw| rest("exp(2s)").at((f64::from(draw) + 0.5) / f64::from(draws))).sum();
        let mean = total / draws;
        assert!((Duration::from_millis(1_990)..Duration::from_millis(2_010)).contains(&mean), "{mean:?}");
        assert_eq!(rest("exp(2s)").at(0.5).as_millis(), 1_386);
        assert!(rest("exp(2s)").at(1.0) < Duration::from_secs(75));
    }
}
