//! Which programs `exec` faults may run. Owns: the patterns. Must not know: what a program does.

use std::fmt;
use std::str::FromStr;

use crate::unit::{UnitError, text_type};

/// A program, or several: `./chaos/*`, where `*` stands for a part of a path; a lone `*` is any program at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramPattern(String);

impl ProgramPattern {
    /// Whether a program is one of them, by the name that a scenario gives it. What climbs out of a folder by `..` is none
    /// of those in it.
    #[must_use]
    pub fn matches(&self, program: &str) -> bool {
        if self.0 == "*" {
            return true;
        }
        // A name with a slash is a path from the workspace's folder, with or without `./`; one without is looked for on PATH.
        if program.contains('/') != self.0.contains('/') || program.split('/').any(|part| part == "..") {
            return false;
        }
        let parts = |text: &str| -> Vec<String> {
            let text = text.strip_prefix("./").unwrap_or(text);
            text.split('/').filter(|part| *part != ".").map(str::to_owned).collect()
        };
        let (wanted, found) = (parts(&self.0), parts(program));
        wanted.len() == found.len() && wanted.iter().zip(&found).all(|(pattern, part)| matches_part(pattern, part))
    }
}

/// Whether a part of a path is as a pattern says, in which `*` is any text, also none.
fn matches_part(pattern: &str, part: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == part };
    let Some(mut left) = part.strip_prefix(start) else { return false };
    let mut pieces = rest.split('*').peekable();
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return left.ends_with(piece);
        }
        let Some((_, behind)) = left.split_once(piece) else { return false };
        left = behind;
    }
    true
}

impl FromStr for ProgramPattern {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let remedy = "write a program as scenarios name it, such as `./chaos/*` or `aws`";
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(UnitError::new(format!("`{}` names no program", text.escape_debug()), remedy));
        }
        if text.split('/').any(|part| part == "..") {
            return Err(UnitError::new(format!("`{text}` climbs out of its folder"), remedy));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ProgramPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

text_type!(ProgramPattern, "ProgramPattern", "a program or a pattern of programs", r"^[^\x00-\x1f]+$", "./chaos/*");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_pattern_names_may_run() {
        for (pattern, program, is_permitted) in [
            ("./chaos/*", "./chaos/flush", true),
            ("./chaos/*", "chaos/flush", true),
            ("./chaos/*", "./chaos/../../bin/sh", false),
            ("./chaos/*", "./chaos/deep/flush", false),
            ("./chaos/*", "/chaos/flush", false),
            ("./chaos/*", "flush", false),
            ("chaos/*.sh", "./chaos/flush.sh", true),
            ("chaos/*.sh", "./chaos/flush", false),
            ("c*s/a*b*c", "chaos/axxbyyc", true),
            ("c*s/a*b*c", "chaos/axxbyy", false),
            ("aws", "aws", true),
            ("aws", "./aws", false),
            ("a*", "aws", true),
            ("/usr/bin/*", "/usr/bin/env", true),
            ("*", "/bin/sh", true),
            ("*", "../x", true),
        ] {
            let pattern: ProgramPattern = pattern.parse().unwrap();
            assert_eq!(pattern.matches(program), is_permitted, "{pattern} {program}");
        }
        for bad in ["", "../x", "a\nb"] {
            assert!(bad.parse::<ProgramPattern>().is_err(), "{bad:?}");
        }
    }
}
