//! What has to be noted when a step is done.

use serde::{Deserialize, Serialize};

/// The longest evidence that a person may give, in bytes.
const EVIDENCE_BYTES_MAX: usize = 2 * 1024;

/// What has to be noted when a step is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// A number that was read.
    Number,
    /// A trace's id.
    Trace,
    /// A link.
    Link,
    /// Any text.
    Text,
}

impl Evidence {
    /// What is asked for, with its article.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Trace => "a trace's id",
            Self::Link => "a link",
            Self::Text => "a text",
        }
    }

    /// Whether `text` is such evidence: a number may have its unit behind it, a trace's id is X-Ray's or W3C's, a link begins with
    /// `https://` or `http://`.
    ///
    /// # Errors
    /// It is not; a lowercase fragment with the remedy.
    pub fn check(self, text: &str) -> Result<(), String> {
        let text = text.trim();
        if text.len() > EVIDENCE_BYTES_MAX {
            return Err(format!("the evidence is longer than {EVIDENCE_BYTES_MAX} bytes"));
        }
        let is_it = match self {
            Self::Number => {
                let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
                digits.starts_with(|c: char| c.is_ascii_digit())
            }
            Self::Trace => {
                let hex = text.chars().filter(char::is_ascii_hexdigit).count();
                hex >= 16 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '=' | ';' | ':'))
            }
            Self::Link => text.starts_with("https://") || text.starts_with("http://"),
            Self::Text => !text.is_empty(),
        };
        if is_it { Ok(()) } else { Err(format!("`{text}` is not {}", self.in_words())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_what_was_asked_for() {
        for (kind, good, bad) in [
            (Evidence::Number, "42/min", "many"),
            (Evidence::Number, "-0.5", ""),
            (Evidence::Trace, "1-5759e988-bd862e3fe1be46a994272793", "the slow one"),
            (Evidence::Link, "https://example.com/x", "example.com"),
            (Evidence::Text, "seen", " "),
        ] {
            assert_eq!(kind.check(good), Ok(()));
            assert!(kind.check(bad).is_err(), "{bad}");
        }
        assert!(Evidence::Text.check(&"x".repeat(3_000)).is_err());
    }
}
