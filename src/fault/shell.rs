//! Words of commands that people run by hand.

/// A word as a shell reads it: in quotes where something of it has a meaning for the shell.
pub(super) fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,=@+%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    quoted(text)
}

/// A text in single quotes, whatever stands in it.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_read_as_its_own_is_quoted() {
        for (text, expected) in
            [("/shop/mode", "/shop/mode"), ("a b", "'a b'"), ("$(x)", "'$(x)'"), ("it's", r"'it'\''s'"), ("", "''")]
        {
            assert_eq!(word(text), expected);
        }
    }
}
