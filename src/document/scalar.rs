//! What a plain scalar means. The source of the rule: YAML 1.2.2, §10.3.2 (core schema), so `yes`, `09:00` and
//! `2026-12-15` are text.

use super::tree::Scalar;

/// Resolves a plain (unquoted) scalar.
pub(super) fn resolve(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        _ => {}
    }
    let radix = |prefix: &str, radix: u32| {
        text.strip_prefix(prefix)
            .filter(|digits| digits.starts_with(|c: char| c.is_digit(radix)))
            .and_then(|digits| i64::from_str_radix(digits, radix).ok())
    };
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Scalar::Integer(number);
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return Scalar::Text;
    }
    if let Ok(number) = text.parse::<i64>() {
        return Scalar::Integer(number);
    }
    // Rust reads `1e5`, `.5` and `5.` as YAML does; `inf` and `nan` are kept out by the first character, `-inf` here.
    let is_number = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E'));
    match text.parse::<f64>() {
        Ok(number) if is_number && number.is_finite() => Scalar::Float(number),
        Ok(_) | Err(_) => Scalar::Text,
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
        assert_eq!(resolve("0x1F"), Scalar::Integer(31));
        assert_eq!(resolve("0o17"), Scalar::Integer(15));
        assert_eq!(resolve("1e3"), Scalar::Float(1_000.0));
        for text in ["yes", "09:00", "2026-12-15", "5m", "-", "-inf", ".inf", "0x", "0x-1", "1..2", "nan"] {
            assert_eq!(resolve(text), Scalar::Text, "{text}");
        }
    }
}
