//! Words that a blameless review does without.

use std::ops::Range;

/// Words that look for the one who did it, or for one cause of all, which a game day does not (blameless postmortems).
const BLAME: [(&str, &str); 4] = [
    ("root cause", "say what contributed, under `factors`: nothing has one cause"),
    ("human error", "say what made that the natural thing to do"),
    ("should have known", "say what they could see at the time"),
    ("careless", "say what made that the natural thing to do"),
];

/// Words in a text that end the search for what contributed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blame {
    /// Where they stand in the text.
    pub span: Range<usize>,
    /// The words.
    pub words: &'static str,
    /// What to write in their place.
    pub help: &'static str,
}

/// The first place of each of the words in a text.
pub fn blame(text: &str) -> impl Iterator<Item = Blame> {
    // ASCII letters keep their length, so that places in the one are places in the other.
    let lower = text.to_ascii_lowercase();
    BLAME
        .into_iter()
        .filter_map(move |(words, help)| lower.find(words).map(|at| Blame { span: at..at + words.len(), words, help }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_end_the_search_are_found_whatever_their_case() {
        let found: Vec<Blame> = blame("Über: the Root Cause was careless").collect();
        let words: Vec<_> = found.iter().map(|blame| (blame.span.start, blame.words)).collect();
        assert_eq!(words, [(11, "root cause"), (26, "careless")]);
        assert_eq!(blame("What contributed?").count(), 0);
    }
}
