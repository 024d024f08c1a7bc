//! Filter patterns, as far as the sandbox reads them: terms and quoted phrases that must all be there, `?terms` of which one must, and
//! `-terms` that must not. Source: AWS, "Filter pattern syntax". Patterns on JSON fields and columns are refused.

/// A pattern that was understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FilterPattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl FilterPattern {
    /// Reads a pattern; an empty one fits every message.
    ///
    /// # Errors
    /// What the sandbox does not read, for a person.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pattern = Self::default();
        let mut rest = text.trim_start();
        if rest.starts_with(['{', '[', '%']) {
            return Err("the sandbox reads patterns of terms and quoted phrases only".to_owned());
        }
        while let Some(first) = rest.chars().next() {
            let list = match first {
                '?' => &mut pattern.any,
                '-' => &mut pattern.none,
                _ => &mut pattern.all,
            };
            let term = rest.strip_prefix(['?', '-']).unwrap_or(rest);
            let (term, behind) = match term.strip_prefix('"') {
                Some(phrase) => quoted(phrase).ok_or("a quoted phrase has no end")?,
                None => {
                    let end = term.find(char::is_whitespace).unwrap_or(term.len());
                    let (term, behind) = term.split_at(end);
                    (term.to_owned(), behind)
                }
            };
            if term.is_empty() {
                return Err("a term is empty".to_owned());
            }
            list.push(term);
            rest = behind.trim_start();
        }
        Ok(pattern)
    }

    /// Whether a message fits. Case counts.
    pub(super) fn fits(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        self.all.iter().all(has) && (self.any.is_empty() || self.any.iter().any(has)) && !self.none.iter().any(has)
    }
}

/// The phrase up to its closing quote, with `\"` and `\\` undone, and what stands behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut phrase = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return text.get(at + 1..).map(|behind| (phrase, behind)),
            '\\' => phrase.push(letters.next()?.1),
            _ => phrase.push(letter),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_phrases_and_their_signs_are_read() {
        for (pattern, message, fits) in [
            ("", "anything", true),
            ("REPORT", "REPORT RequestId: a", true),
            ("report", "REPORT RequestId: a", false),
            ("REPORT RequestId:", "RequestId: x REPORT", true),
            ("\"RequestId: a\"", "END RequestId: a", true),
            ("\"RequestId: a\"", "RequestId: b a", false),
            ("?START ?END", "END RequestId: a", true),
            ("?START ?END", "REPORT", false),
            ("RequestId -REPORT", "END RequestId: a", true),
            ("RequestId -REPORT", "REPORT RequestId: a", false),
            (r#""say \"no\"""#, r#"they say "no""#, true),
            ("-\"a b\" c", "c a b", false),
        ] {
            assert_eq!(FilterPattern::parse(pattern).map(|read| read.fits(message)), Ok(fits), "{pattern} {message}");
        }
    }

    #[test]
    fn what_is_not_read_is_refused() {
        for pattern in ["{ $.level = \"ERROR\" }", "[ip, user]", "%re%", "\"open", "? a", "\"\""] {
            assert!(FilterPattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
