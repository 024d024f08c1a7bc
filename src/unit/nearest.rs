//! "Did you mean …": the known name nearest to a mistyped one.

/// The name in `known` that `word` most likely meant: fewest edits, at most a third of its length (at least one).
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let edits_max = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&word.to_lowercase(), &name.to_lowercase()), name))
        .filter(|(edits, _)| *edits <= edits_max)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn the_nearest_name_is_offered_and_a_far_one_is_not() {
        assert_eq!(nearest("hypothesis", ["load", "hypotheses", "faults"]), Some("hypotheses"));
        assert_eq!(nearest("lod", ["load", "faults"]), Some("load"));
        assert_eq!(nearest("banana", ["load", "faults"]), None);
    }
}
