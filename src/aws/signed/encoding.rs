//! Percent-encoding, as AWS writes it: everything but RFC 3986's unreserved characters.

const HEX_DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// Encodes `text` for a path segment, a query or a form; a space is `%20`.
pub(super) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push('%');
            encoded.push(char::from(HEX_DIGITS[usize::from(byte >> 4)]));
            encoded.push(char::from(HEX_DIGITS[usize::from(byte & 0xF)]));
        }
    }
    encoded
}

/// Decodes `text`; a plus sign is itself. None where what follows a percent sign is no number, or the result no UTF-8.
pub(crate) fn percent_decode(text: &str) -> Option<String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
            decoded.push(high << 4 | low);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}

/// A form or a query: `a=1&b=x%20y`.
pub(super) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let encoded: Vec<String> =
        pairs.into_iter().map(|(name, value)| format!("{}={}", percent_encode(name), percent_encode(value))).collect();
    encoded.join("&")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn only_unreserved_characters_stand_as_they_are() {
        assert_eq!(percent_encode("aZ09-._~ /+%ü*"), "aZ09-._~%20%2F%2B%25%C3%BC%2A");
        assert_eq!(pairs([("Action", "GetRole"), ("a b", "1&2")]), "Action=GetRole&a%20b=1%262");
        assert_eq!(percent_decode("%7B%22a%22+1%7d").as_deref(), Some("{\"a\"+1}"));
        for text in ["%", "%1", "%zz", "%FF"] {
            assert_eq!(percent_decode(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(text in any::<String>()) {
            let encoded = percent_encode(&text);
            prop_assert!(encoded.is_ascii());
            prop_assert_eq!(percent_decode(&encoded), Some(text));
        }
    }
}
