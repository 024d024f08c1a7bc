//! Texts with `*` in them.

use std::fmt;
use std::str::FromStr;

use crate::unit::{UnitError, text_type};

/// The longest pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1024;

/// A text that another must equal, in which `*` stands for any text, also for none: `/orders/*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    text: String,
    has_star: bool,
}

impl Pattern {
    /// Whether a text is as the pattern says, in the same case.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.matches_by(text.as_bytes(), |left, right| left == right)
    }

    /// Whether a text is as the pattern says, in any case of its ASCII letters.
    #[must_use]
    pub fn matches_in_any_case(&self, text: &str) -> bool {
        self.matches_by(text.as_bytes(), |left, right| left.eq_ignore_ascii_case(&right))
    }

    fn matches_by(&self, text: &[u8], equal: impl Fn(u8, u8) -> bool) -> bool {
        let pattern = self.text.as_bytes();
        if !self.has_star {
            return pattern.len() == text.len() && pattern.iter().zip(text).all(|(left, right)| equal(*left, *right));
        }
        let (mut at, mut seen) = (0, 0);
        // Where to go on when what follows the last star does not fit where it was tried.
        let mut retry: Option<(usize, usize)> = None;
        while let Some(byte) = text.get(seen) {
            match pattern.get(at) {
                Some(b'*') => {
                    retry = Some((at + 1, seen));
                    at += 1;
                }
                Some(wanted) if equal(*wanted, *byte) => {
                    at += 1;
                    seen += 1;
                }
                Some(_) | None => {
                    let Some((after_star, tried)) = retry else { return false };
                    retry = Some((after_star, tried + 1));
                    (at, seen) = (after_star, tried + 1);
                }
            }
        }
        pattern.iter().skip(at).all(|byte| *byte == b'*')
    }
}

impl FromStr for Pattern {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let remedy = "write the text that is to be there, with `*` for anything, as in `/orders/*`";
        if text.is_empty() || text.len() > PATTERN_BYTES_MAX || text.chars().any(char::is_control) {
            return Err(UnitError::new(format!("`{}` is not a pattern", text.escape_debug()), remedy));
        }
        Ok(Self { text: text.to_owned(), has_star: text.contains('*') })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

text_type!(Pattern, "Pattern", "a text in which `*` stands for anything", r"^[^\u0000-\u001f]+$", "/orders/*");

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        pattern.parse::<Pattern>().expect("a pattern").matches(text)
    }

    #[test]
    fn a_star_stands_for_anything_and_all_else_for_itself() {
        for (pattern, text) in [
            ("/a", "/a"),
            ("*", ""),
            ("*", "x"),
            ("/a/*", "/a/"),
            ("/a/*/c", "/a/b/b/c"),
            ("*b*", "abc"),
            ("**", "x"),
            ("a*ab", "aabaab"),
            ("Get*", "GetItem"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("/a", "/a/"), ("/a", "/A"), ("/a/*", "/a"), ("a*b", "abc"), ("a*a", "a"), ("?", "x")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
        let host: Pattern = "API.example.com".parse().expect("a pattern");
        assert!(host.matches_in_any_case("api.EXAMPLE.com") && !host.matches("api.example.com"));
        assert!("".parse::<Pattern>().is_err());
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_plain_definition(pattern in "[ab*]{1,8}", text in "[ab]{0,10}") {
            fn plain(pattern: &[u8], text: &[u8]) -> bool {
                match pattern.split_first() {
                    None => text.is_empty(),
                    Some((b'*', rest)) => (0..=text.len()).any(|cut| plain(rest, &text[cut..])),
                    Some((byte, rest)) => text.first() == Some(byte) && plain(rest, &text[1..]),
                }
            }
            prop_assert_eq!(matches(&pattern, &text), plain(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
