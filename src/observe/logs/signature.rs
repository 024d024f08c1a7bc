//! What messages of one kind have in common: what changes from one to the next is taken out, and what may be a secret with it.

use serde_json::Value;

use crate::unit::{Redaction, redact_text};

/// How many characters a signature has at the most.
const SIGNATURE_CHARACTERS_MAX: usize = 160;
/// How many characters of a message are looked at.
const MESSAGE_CHARACTERS_MAX: usize = 2_000;
/// Words of letters and digits that are this long are tokens, keys or ids, and not language.
const TOKEN_CHARACTERS_MIN: usize = 20;
/// Hexadecimal words of this length with a digit in them are ids.
const HEX_CHARACTERS_MIN: usize = 6;

/// A message without what makes it one of its kind: ids become `<id>`, numbers `#`, long words of letters and digits `<token>`, e-mail
/// addresses `[e-mail]`. At most 160 characters, in one line.
///
/// ```
/// # use gameday::observe::signature;
/// assert_eq!(signature("[ERROR] order 4711 of jo@example.com: no card"), "[ERROR] order # of [e-mail]: no card");
/// ```
#[must_use]
pub fn signature(message: &str) -> String {
    let said = said(message);
    let short: String = said.chars().take(MESSAGE_CHARACTERS_MAX).collect();
    // Numbers of accounts go with all other numbers.
    let safe = redact_text(&short, &[Redaction::Emails]);
    let mut signature = String::new();
    let mut rest = safe.as_str();
    while let Some(first) = rest.chars().next() {
        let is_word = is_part(first);
        let end = rest.find(|c| is_part(c) != is_word).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        if is_word {
            signature.push_str(&word(piece));
        } else {
            let blank = |c: char| if c.is_whitespace() || c.is_control() { ' ' } else { c };
            signature.extend(piece.chars().map(blank));
        }
        rest = behind;
    }
    let words: Vec<&str> = signature.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(SIGNATURE_CHARACTERS_MAX - 1) {
        Some((end, _)) if line.chars().count() > SIGNATURE_CHARACTERS_MAX => {
            format!("{}…", line.split_at(end).0)
        }
        _ => line,
    }
}

/// What a line says: of a JSON object its error, or else its message, else all of it.
fn said(message: &str) -> String {
    let Some(Value::Object(line)) = Some(message.trim())
        .filter(|text| text.starts_with('{'))
        .and_then(|text| serde_json::from_str::<Value>(text).ok())
    else {
        return message.to_owned();
    };
    let text = |name: &str| line.get(name).and_then(Value::as_str);
    let (kind, error) = (text("errorType"), text("errorMessage"));
    match (kind, error.or_else(|| text("message")).or_else(|| text("msg"))) {
        (Some(kind), Some(said)) => format!("{kind}: {said}"),
        (None, Some(said)) => said.to_owned(),
        (Some(kind), None) => kind.to_owned(),
        // An object in the place of the message, as Lambda's own JSON form puts it there.
        (None, None) => match line.get("message") {
            Some(inner @ Value::Object(_)) => said(&inner.to_string()),
            _ => message.to_owned(),
        },
    }
}

/// Letters, digits, and what joins them in ids: an id is one word.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '+' | '/' | '=' | '.' | ':')
}

/// A word as it stands in a signature.
fn word(piece: &str) -> String {
    let core = piece.trim_matches(|c: char| !c.is_alphanumeric());
    let (Some(at), false) = (piece.find(core), core.is_empty()) else { return piece.to_owned() };
    let (before, rest) = piece.split_at(at);
    let (_, after) = rest.split_at(core.len());
    let has = |is: fn(&char) -> bool| core.chars().any(|c| is(&c));
    let has_digit = has(char::is_ascii_digit);
    let count = core.chars().count();
    let is_hex = has_digit && count >= HEX_CHARACTERS_MIN && core.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    let is_number = core.chars().all(|c| !c.is_alphabetic());
    let is_moment =
        has_digit && core.contains('T') && core.contains(':') && core.starts_with(|c: char| c.is_ascii_digit());
    let is_token =
        count >= TOKEN_CHARACTERS_MIN && has_digit && has(char::is_ascii_alphabetic) && !core.contains("://");
    let short = if is_number || is_moment {
        "#".to_owned()
    } else if is_hex {
        "<id>".to_owned()
    } else if is_token {
        "<token>".to_owned()
    } else {
        without_digits(core)
    };
    format!("{before}{short}{after}")
}

/// Each run of digits as one `#`.
fn without_digits(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_ascii_digit() {
            false => short.push(c),
            true if short.ends_with('#') => {}
            true => short.push('#'),
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};

    use super::*;

    #[test]
    fn messages_of_one_kind_have_one_signature() {
        for (message, expected) in [
            (
                "2026-03-10T10:00:00.123Z 3604209a-e9a3-11e6-939a-754dd98c7be3 Task timed out after 3.00 seconds",
                "# <id> Task timed out after # seconds",
            ),
            (
                "RequestId: 3604209a-e9a3-11e6-939a-754dd98c7be3 Error: Runtime exited with error: signal: killed",
                "RequestId: <id> Error: Runtime exited with error: signal: killed",
            ),
            ("[ERROR] ValueError: no item 4711\nTraceback", "[ERROR] ValueError: no item # Traceback"),
            ("key AKIAIOSFODNN7EXAMPLE42 refused", "key <token> refused"),
            ("token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIi", "<token>"),
            ("from deadbeef01 to 10.0.0.7:443", "from <id> to #"),
            ("item-17 of user22", "item-# of user#"),
            ("account 111122223333, jo@example.com", "account #, [e-mail]"),
            (r#"{"level": "ERROR", "message": "no card 12", "requestId": "r"}"#, "no card #"),
            (r#"{"level": "ERROR", "errorType": "ValueError", "errorMessage": "no card 12"}"#, "ValueError: no card #"),
            (r#"{"timestamp": 1, "message": {"errorType": "KeyError", "errorMessage": "'id'"}}"#, "KeyError: 'id'"),
            ("GET https://a.example/orders/4711 failed", "GET https://a.example/orders/# failed"),
        ] {
            assert_eq!(signature(message), expected, "{message}");
        }
    }

    #[test]
    fn a_signature_is_short_and_one_line() {
        let long = signature(&"error in a long story ".repeat(50));
        assert_eq!((long.chars().count(), long.ends_with('…')), (SIGNATURE_CHARACTERS_MAX, true));
        assert_eq!(signature("a\u{1b}[31mb\r\nc"), "a [#mb c");
        assert_eq!(signature(""), "");
    }

    proptest! {
        #[test]
        fn whatever_is_logged_has_a_signature(text in any::<String>(), digits in "[0-9a-f]{32}") {
            assert!(signature(&text).chars().count() <= SIGNATURE_CHARACTERS_MAX);
            assert!(!signature(&format!("failed with {digits}1")).contains(&digits));
        }
    }
}
