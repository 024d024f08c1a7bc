//! The names of marks: moments that people tell.

use super::{UnitError, nearest};

/// The marks that a report measures by. `acknowledged` is an event of its own.
pub const MARKS: [&str; 6] = ["detected", "diagnosed", "mitigated", "recovered", "escalated", "surprised"];

/// The longest name of a mark, in bytes.
const MARK_BYTES_MAX: usize = 64;
/// The older name of the mark `diagnosed`.
const IDENTIFIED: &str = "identified";

/// The name of a mark as it counts.
///
/// # Errors
/// It is none that a mark may have.
pub fn mark_name(text: &str) -> Result<String, UnitError> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > MARK_BYTES_MAX || !text.chars().all(is_word) {
        let problem = format!("`{text}` is no name of a mark");
        return Err(UnitError::new(problem, "a mark has 1 to 64 letters, digits, `-`, `_` and `.`"));
    }
    Ok(if text == IDENTIFIED { "diagnosed" } else { text }.to_owned())
}

/// The mark of a report that a name most likely means, and is not.
#[must_use]
pub fn meant_mark(name: &str) -> Option<&'static str> {
    let known = MARKS.into_iter().chain(["acknowledged"]);
    // One slip of the hand: more would take `rejected` for `detected`.
    nearest(name, known).filter(|near| strsim::damerau_levenshtein(name, near) == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_and_the_older_one_means_the_same() {
        assert_eq!(mark_name("identified").unwrap(), "diagnosed");
        assert_eq!(mark_name("war-room.open").unwrap(), "war-room.open");
        for wrong in ["", "two words", "detected) or ack(", &"x".repeat(65)] {
            assert!(mark_name(wrong).is_err(), "{wrong}");
        }
        assert_eq!((meant_mark("detcted"), meant_mark("detected"), meant_mark("wow")), (Some("detected"), None, None));
        assert_eq!((meant_mark("rejected"), meant_mark("mitigating")), (None, None));
    }
}
