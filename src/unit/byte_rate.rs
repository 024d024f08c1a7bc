//! Rates of bytes, written `100KB/s` or `1.5MB/s`.

use std::fmt;
use std::str::FromStr;

use super::{UnitError, text_type};

/// Bytes a second in whole kilobytes of 1000 bytes, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteRate {
    kilobytes: u64,
}

const REMEDY: &str = "write a number and `KB/s` or `MB/s`, at least `1KB/s`, as in `100KB/s`";

/// The units with their length in kilobytes.
const UNITS: [(&str, u64); 2] = [("KB/s", 1), ("MB/s", 1_000)];

impl ByteRate {
    /// Kilobytes a second.
    #[must_use]
    pub fn kilobytes(self) -> u64 {
        self.kilobytes
    }
}

impl FromStr for ByteRate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let fail = || UnitError::new(format!("`{text}` is not a rate of bytes"), REMEDY);
        let trimmed = text.trim();
        let (number, unit) =
            UNITS.iter().find_map(|(name, unit)| Some((trimmed.strip_suffix(name)?, *unit))).ok_or_else(fail)?;
        let number = number.trim_end();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) || fraction.len() > 3 {
            return Err(fail());
        }
        let thousandths: u64 = format!("{fraction:0<3}").parse().map_err(|_| fail())?;
        let whole: u64 = whole.parse().map_err(|_| fail())?;
        let thousandths = whole.checked_mul(1_000).and_then(|whole| whole.checked_add(thousandths)).ok_or_else(fail)?;
        let kilobytes = thousandths.checked_mul(unit).ok_or_else(fail)? / 1_000;
        if kilobytes == 0 { Err(fail()) } else { Ok(Self { kilobytes }) }
    }
}

impl fmt::Display for ByteRate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kilobytes.is_multiple_of(1_000) {
            write!(formatter, "{}MB/s", self.kilobytes / 1_000)
        } else {
            write!(formatter, "{}KB/s", self.kilobytes)
        }
    }
}

text_type!(ByteRate, "ByteRate", "a rate of bytes", r"^\s*[0-9.]+\s*[KM]B/s\s*$", "100KB/s");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_of_bytes_needs_its_unit_and_is_no_less_than_a_kilobyte() {
        for (text, shown, kilobytes) in
            [("100KB/s", "100KB/s", 100), ("1.5 MB/s", "1500KB/s", 1_500), ("2000KB/s", "2MB/s", 2_000)]
        {
            let rate: ByteRate = text.parse().expect(text);
            assert_eq!((rate.to_string().as_str(), rate.kilobytes()), (shown, kilobytes));
        }
        for text in [
            "",
            "100",
            "100KB",
            "0KB/s",
            "0.5KB/s",
            "-1KB/s",
            "1e3KB/s",
            "KB/s",
            "1..5MB/s",
            "99999999999999999999MB/s",
        ] {
            assert!(text.parse::<ByteRate>().is_err(), "{text}");
        }
    }
}
