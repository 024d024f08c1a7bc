//! What a plain scalar means. The source of the rule: YAML 1.2.2, §10.3.2 (core schema), so `yes`, `09:00`, `1_000` and
//! `2026-12-15` are text.
//!
//! What is written must mean the same to us, to an editor and to the other programs that read the file. A test
//! (`tests/it/yaml.rs`) holds this reader against `serde_yaml`: each value is the same, or is refused here. Refused are, as
//! [`Scalar::Unclear`], those scalars on which readers differ, or which no quantity of ours can be:
//!
//! | written | core schema | serde_yaml | YAML 1.1 |
//! | --- | --- | --- | --- |
//! | `0123`, `-007` | 123 | text | 83 |
//! | `0b101` | text | 5 | 5 |
//! | `-0x1F`, `+0o17` | text | -31, 15 | -31, text |
//! | `.inf`, `-.INF`, `.nan` | a number that JSON can not hold | | |
//! | `18446744073709551616`: more than 64 bits | a number that JSON readers round | refused | |
//!
//! Three more differences are of types, not of scalars, and are the [`reader`](super::reader)'s: a number where text is
//! wanted (`title: 5`) is text to `serde_yaml` and a problem here; so is a key with nothing after it where a value may be
//! left out; and a tag (`!!str 5`) is a problem here wherever it stands.

use super::tree::Scalar;

/// Resolves a plain (unquoted) scalar.
pub(super) fn resolve(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return Scalar::Text;
    }
    let (sign, unsigned) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.get(..1).unwrap_or_default(), rest),
        None => ("", text),
    };
    if let ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN" = unsigned {
        return Scalar::Unclear;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = unsigned.strip_prefix(prefix).filter(|digits| is_number(digits, radix)) {
            let is_core = sign.is_empty() && radix != 2;
            return if is_core { integer(digits, radix) } else { Scalar::Unclear };
        }
    }
    if is_number(unsigned, 10) {
        let has_leading_zero = unsigned.len() > 1 && unsigned.starts_with('0');
        return if has_leading_zero { Scalar::Unclear } else { integer(text, 10) };
    }
    // Rust reads `1e5`, `.5` and `5.` as YAML does; `-inf` and `+nan` are kept out by their letters.
    let is_float = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E'));
    match text.parse::<f64>() {
        Ok(number) if is_float && number.is_finite() => Scalar::Float(number),
        Ok(_) | Err(_) => Scalar::Text,
    }
}

fn is_number(digits: &str, radix: u32) -> bool {
    !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix))
}

/// A whole number of 64 bits, with a sign or without.
fn integer(digits: &str, radix: u32) -> Scalar {
    let range = i128::from(i64::MIN)..=i128::from(u64::MAX);
    match i128::from_str_radix(digits, radix) {
        Ok(number) if range.contains(&number) => Scalar::Integer(number),
        Ok(_) | Err(_) => Scalar::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        assert_eq!(resolve("~"), Scalar::Null);
        assert_eq!(resolve("true"), Scalar::Bool(true));
        assert_eq!(resolve("-12"), Scalar::Integer(-12));
        assert_eq!(resolve("+12"), Scalar::Integer(12));
        assert_eq!(resolve("0x1F"), Scalar::Integer(31));
        assert_eq!(resolve("0o17"), Scalar::Integer(15));
        assert_eq!(resolve("1e3"), Scalar::Float(1_000.0));
        assert_eq!(resolve("-.5"), Scalar::Float(-0.5));
        for text in ["yes", "on", "09:00", "2026-12-15", "5m", "-", "-inf", "0x", "0x-1", "0o8", "1..2", "nan", "1_000"]
        {
            assert_eq!(resolve(text), Scalar::Text, "{text}");
        }
    }

    #[test]
    fn whole_numbers_have_64_bits() {
        assert_eq!(resolve("18446744073709551615"), Scalar::Integer(i128::from(u64::MAX)));
        assert_eq!(resolve("0xFFFFFFFFFFFFFFFF"), Scalar::Integer(i128::from(u64::MAX)));
        assert_eq!(resolve("-9223372036854775808"), Scalar::Integer(i128::from(i64::MIN)));
        let long = "9".repeat(99);
        for text in ["18446744073709551616", "-9223372036854775809", "0x10000000000000000", &long] {
            assert_eq!(resolve(text), Scalar::Unclear, "{text}");
        }
    }

    #[test]
    fn what_readers_do_not_agree_on_is_unclear() {
        for text in ["0123", "-007", "+00", "0b101", "-0b1", "-0x1F", "+0o17", ".inf", "-.INF", "+.Inf", ".nan", ".NaN"]
        {
            assert_eq!(resolve(text), Scalar::Unclear, "{text}");
        }
        // These look like them and are text to all.
        for text in ["01:30", "0123a", "0b102", "0b", ".info", "-0xG", "012-345", "1.2.3"] {
            assert_eq!(resolve(text), Scalar::Text, "{text}");
        }
    }
}
