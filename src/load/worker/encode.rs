//! How names and values stand in queries and forms.

/// What a space becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Space {
    /// `%20`, as in URLs (RFC 3986).
    Percent,
    /// `+`, as in forms (`application/x-www-form-urlencoded`).
    Plus,
}

/// Adds a text to another, percent-encoded but for letters, digits and `-._~`.
pub(super) fn encode_into(encoded: &mut String, text: &str, space: Space) {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or('0');
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            b' ' if space == Space::Plus => encoded.push('+'),
            byte => encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]),
        }
    }
}

/// The text, percent-encoded.
pub(super) fn encode(text: &str, space: Space) -> String {
    let mut encoded = String::with_capacity(text.len());
    encode_into(&mut encoded, text, space);
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_has_a_meaning_of_its_own_is_encoded() {
        assert_eq!(encode("a b&c=ü/~", Space::Percent), "a%20b%26c%3D%C3%BC%2F~");
        assert_eq!(encode("a b+c", Space::Plus), "a+b%2Bc");
    }
}
