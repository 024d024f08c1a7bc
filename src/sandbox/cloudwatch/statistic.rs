//! The statistics that a metric can be asked for: `Sum`, `Average`, `p99` and their like.

use super::bucket::Bucket;

/// How the values of a period become one number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Statistic {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
    /// In percent, 0 to 100.
    Percentile(f64),
}

impl Statistic {
    /// Reads `Sum`, `p99`, `p99.9`. `None`: not one of those that the sandbox knows (AWS has trimmed ones besides).
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "SampleCount" => Self::SampleCount,
            "Average" => Self::Average,
            "Sum" => Self::Sum,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            other => {
                let digits = other.strip_prefix('p')?;
                let is_number = digits.chars().all(|c| c.is_ascii_digit() || c == '.');
                let percent: f64 = digits.parse().ok().filter(|_| is_number)?;
                (0.0..=100.0).contains(&percent).then_some(Self::Percentile(percent))?
            }
        })
    }

    /// The statistic of a period's values. `None`: a percentile of values that are not known one by one.
    pub(super) fn of(self, bucket: &Bucket) -> Option<f64> {
        match self {
            Self::SampleCount => Some(bucket.count),
            Self::Average => Some(bucket.average()),
            Self::Sum => Some(bucket.sum),
            Self::Minimum => Some(bucket.min),
            Self::Maximum => Some(bucket.max),
            Self::Percentile(percent) => bucket.percentile(percent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_read_and_other_texts_are_not() {
        assert_eq!(Statistic::parse("p99.9"), Some(Statistic::Percentile(99.9)));
        assert_eq!(Statistic::parse("Sum"), Some(Statistic::Sum));
        for text in ["sum", "p", "p101", "p-1", "pNaN", "p1e1", "tm99", "IQM", ""] {
            assert_eq!(Statistic::parse(text), None, "{text}");
        }
    }
}
