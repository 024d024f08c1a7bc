//! Words that end the search for what contributed: for the one who did it, or for one cause of all. A game day does not look for either
//! (Google SRE: blameless postmortems; Etsy: ask how, not why).

const BLAME: [(&str, &str); 4] = [
    ("root cause", "say what contributed, under `factors`: nothing has one cause"),
    ("human error", "say what made that the natural thing to do"),
    ("should have known", "say what they could see at the time"),
    ("careless", "say what made that the natural thing to do"),
];

/// A word of blame in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blame {
    /// Where it stands, in bytes.
    pub span: std::ops::Range<usize>,
    /// The words.
    pub words: &'static str,
    /// What to write instead.
    pub remedy: &'static str,
}

/// The words of blame in a text, each at its first place.
pub fn blame_in(text: &str) -> impl Iterator<Item = Blame> {
    let lower = text.to_ascii_lowercase();
    BLAME.into_iter().filter_map(move |(words, remedy)| {
        let start = lower.find(words)?;
        Some(Blame { span: start..start + words.len(), words, remedy })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_blame_are_found_in_any_case_where_they_stand() {
        let found: Vec<Blame> = blame_in("Ünfair: the Root Cause was careless").collect();
        assert_eq!(found.iter().map(|blame| blame.words).collect::<Vec<_>>(), ["root cause", "careless"]);
        assert_eq!(found[0].span, 13..23);
        assert_eq!(blame_in("the alarm was slow").count(), 0);
    }
}
