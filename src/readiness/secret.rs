//! What looks like a secret: in a line of a log, or in a variable. What is told of it is its kind, never itself.

use regex::Regex;

/// Kinds of secrets, by what they look like.
const KINDS: [(&str, &str); 8] = [
    ("an access key of AWS", r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    ("a token of GitHub", r"\bgh[pousr]_[A-Za-z0-9]{36}"),
    ("a key of Stripe", r"\b[sr]k_live_[A-Za-z0-9]{16,}"),
    ("a token of Slack", r"\bxox[baprs]-[A-Za-z0-9-]{10,}"),
    ("a JSON Web Token", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    ("a password in a URL", r"\b[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@]+@"),
    ("a password", r#"(?i)\b(password|passwd|pwd|secret|api_?key)"?\s*[:=]\s*"?[^\s"',;*]{6,}"#),
];
/// Words in the names of variables that keep secrets.
const NAMES: &str = r"(?i)(SECRET|PASSWORD|PASSWD|TOKEN|API_?KEY|PRIVATE_?KEY|CREDENTIAL)";
/// Words behind those that say that a variable only names where the secret is.
const REFERENCES: [&str; 8] = ["_ARN", "_NAME", "_ID", "_PATH", "_URL", "_FILE", "_TTL", "_PARAMETER"];
/// The shortest value that is taken for a secret.
const VALUE_BYTES_MIN: usize = 6;

/// What secrets look like.
pub(super) struct Patterns {
    kinds: Vec<(&'static str, Regex)>,
    names: Regex,
}

impl Patterns {
    pub(super) fn new() -> Self {
        let read = |pattern: &str| Regex::new(pattern).expect("invariant: a pattern of ours");
        Self { kinds: KINDS.iter().map(|(kind, pattern)| (*kind, read(pattern))).collect(), names: read(NAMES) }
    }

    /// The kinds of secrets in a line, and numbers of payment cards.
    pub(super) fn in_line(&self, line: &str) -> Vec<&'static str> {
        let kinds = self.kinds.iter().filter(|(_, pattern)| pattern.is_match(line));
        let mut found: Vec<&'static str> = kinds.map(|(kind, _)| *kind).collect();
        if has_card(line) {
            found.push("a number of a payment card");
        }
        found
    }

    /// Why a variable looks like a secret; none where it does not.
    pub(super) fn in_variable(&self, name: &str, value: &str) -> Option<&'static str> {
        if value.len() < VALUE_BYTES_MIN || is_reference(value) {
            return None;
        }
        if let Some(kind) = self.in_line(value).first() {
            return Some(kind);
        }
        let upper = name.to_uppercase();
        let names_place = REFERENCES.iter().any(|end| upper.ends_with(end));
        (self.names.is_match(name) && !names_place).then_some("a secret, by its name")
    }
}

/// Whether a value says where something is, and is not it.
fn is_reference(value: &str) -> bool {
    let starts = ["arn:", "/", "{{resolve:", "ssm:", "secretsmanager:"];
    let is_plain = |word: &str| ["true", "false", "none", "null", "disabled", "enabled"].contains(&word);
    starts.iter().any(|start| value.starts_with(start)) || is_plain(&value.to_lowercase())
}

/// A number of 13 to 19 digits that begins as cards do, and whose check digit is right (Luhn; ISO/IEC 7812).
fn has_card(line: &str) -> bool {
    let is_part = |c: char| c.is_ascii_digit() || c == ' ' || c == '-';
    line.split(|c| !is_part(c)).any(|run| {
        let digits: Vec<u32> = run.chars().filter_map(|c| c.to_digit(10)).collect();
        let is_long = (13..=19).contains(&digits.len()) && matches!(digits.first(), Some(3..=6));
        is_long && digits.len() != 13 && is_luhn(&digits)
    })
}

fn is_luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits.iter().rev().enumerate().fold(0, |sum, (index, digit)| {
        let doubled = if index % 2 == 1 { digit * 2 } else { *digit };
        sum + if doubled > 9 { doubled - 9 } else { doubled }
    });
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_look_and_numbers_of_a_log_are_none() {
        for (line, kind) in [
            ("key AKIAIOSFODNN7EXAMPLE used", "an access key of AWS"),
            ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
            (r#"{"password": "hunter2000"}"#, "a password"),
            ("postgres://shop:hunter2@db/orders", "a password in a URL"),
            ("paid with 4111 1111 1111 1111", "a number of a payment card"),
        ] {
            assert_eq!(Patterns::new().in_line(line), [kind], "{line}");
        }
        for line in ["REPORT RequestId: 3f2a Duration: 102.25 ms", "order 1700000000000 took 12", "password: ***"] {
            assert_eq!(Patterns::new().in_line(line), Vec::<&str>::new(), "{line}");
        }
    }

    #[test]
    fn a_variable_that_names_where_a_secret_is_is_none() {
        for (name, value) in [("API_TOKEN", "s3cr3t-value"), ("DB", "postgres://shop:hunter2@db/orders")] {
            assert!(Patterns::new().in_variable(name, value).is_some(), "{name}");
        }
        for (name, value) in [
            ("DB_SECRET_ARN", "shop/prod/db"),
            ("DB_PASSWORD", "arn:aws:secretsmanager:eu-west-1:1:secret:db"),
            ("DB_PASSWORD", "/shop/db/password"),
            ("TOKEN", ""),
            ("TOKEN_CACHE", "enabled"),
            ("STAGE", "production"),
        ] {
            assert_eq!(Patterns::new().in_variable(name, value), None, "{name}={value}");
        }
    }
}
