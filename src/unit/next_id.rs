//! Ids that are given out by number, a year at a time: `L-2026-007`, `A-2026-031`.

/// Where the numbers of ids end: what is longer was not given by us.
const NUMBER_END: u32 = 1_000_000;

/// The id after the highest of `known` that begins with `start`, and that is not `taken`.
pub fn next_id<'a>(start: &str, known: impl Iterator<Item = &'a str>, taken: impl Fn(&str) -> bool) -> String {
    let numbers = known.filter_map(|id| id.strip_prefix(start)?.parse::<u32>().ok());
    let mut number = numbers.filter(|number| *number < NUMBER_END).max().unwrap_or_default() + 1;
    loop {
        let id = format!("{start}{number:03}");
        if !taken(&id) {
            return id;
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_id_is_above_all_of_its_year_and_not_taken() {
        let known = ["A-2026-007", "A-2026-12", "A-2025-900", "A-2026-99999999", "mine"];
        assert_eq!(next_id("A-2026-", known.into_iter(), |_| false), "A-2026-013");
        assert_eq!(next_id("A-2026-", known.into_iter(), |id| id == "A-2026-013"), "A-2026-014");
        assert_eq!(next_id("A-2027-", known.into_iter(), |_| false), "A-2027-001");
    }
}
