//! Blacking out what must not leave the house: account numbers and e-mail addresses, in texts and in all texts of a value.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is blacked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redaction {
    /// Twelve-digit account numbers, also as `1111-2222-3333`, which become `[account]`.
    AccountIds,
    /// E-mail addresses, which become `[e-mail]`.
    Emails,
}

/// What stands in the place of an account's number. Stars would be a line or an emphasis in Markdown.
const ACCOUNT: &str = "[account]";

/// What stands in the place of an address.
const EMAIL: &str = "[e-mail]";

impl Redaction {
    /// Everything that can be blacked out.
    pub const ALL: [Self; 2] = [Self::AccountIds, Self::Emails];
}

/// Blacks out every text of a value, those of its lists and maps included.
pub fn redact_value(value: &mut Value, redactions: &[Redaction]) {
    match value {
        Value::String(text) => *text = redact_text(text, redactions),
        Value::Array(list) => list.iter_mut().for_each(|value| redact_value(value, redactions)),
        Value::Object(map) => map.values_mut().for_each(|value| redact_value(value, redactions)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The text with everything blacked out that is asked for.
#[must_use]
pub fn redact_text(text: &str, redactions: &[Redaction]) -> String {
    // Addresses first: the name of one may be a number.
    let text = if redactions.contains(&Redaction::Emails) { without_emails(text) } else { text.to_owned() };
    if redactions.contains(&Redaction::AccountIds) { without_accounts(&text) } else { text }
}

/// AWS: an account's id is exactly twelve digits, which the console shows in groups of four; longer numbers, and digits inside a word,
/// are something else.
fn without_accounts(text: &str) -> String {
    let is_digits = |piece: &str, count| piece.len() == count && piece.chars().all(|c| c.is_ascii_digit());
    let pieces: Vec<&str> = split_keeping(text, char::is_alphanumeric);
    let is_group = |at: usize| pieces.get(at).is_some_and(|piece| is_digits(piece, 4));
    let is_dash = |at: usize| pieces.get(at).is_some_and(|piece| *piece == "-");
    // Groups and dashes take turns.
    let groups_from =
        |at: usize| (0..).take_while(|n| is_group(at + 2 * n) && (*n == 0 || is_dash(at + 2 * n - 1))).count();
    let mut left = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(piece) = pieces.get(at) {
        let groups = groups_from(at);
        let length = groups.saturating_mul(2).saturating_sub(1).max(1);
        match pieces.get(at..at + length) {
            Some(_) if groups == 3 => left.push_str(ACCOUNT),
            Some(all) if groups > 0 => all.iter().for_each(|piece| left.push_str(piece)),
            _ => left.push_str(if is_digits(piece, 12) { ACCOUNT } else { piece }),
        }
        at += length;
    }
    left
}

/// An address, in a link also with its `@` as `%40`; what stands before and behind it stays.
fn without_emails(text: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '@' | '.' | '_' | '%' | '+' | '-');
    let is_email = |piece: &str| {
        let piece = piece.replace("%40", "@");
        piece.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
    };
    let without = |piece: &str| {
        let core = piece.trim_start_matches(['@', '.']).trim_end_matches('.');
        if is_email(core) { piece.replacen(core, EMAIL, 1) } else { piece.to_owned() }
    };
    split_keeping(text, is_part).into_iter().map(without).collect()
}

/// Cuts a text where characters change from being part of a word to not being one; nothing is lost.
fn split_keeping(text: &str, is_part: impl Fn(char) -> bool) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let kind = is_part(first);
        let end = rest.find(|c| is_part(c) != kind).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_and_addresses_are_blacked_out_and_nothing_else() {
        let text = "arn:aws:lambda:eu-west-1:111122223333:function:x by maria@example.com, order 1234567890123";
        assert_eq!(
            without_emails(&without_accounts(text)),
            "arn:aws:lambda:eu-west-1:[account]:function:x by [e-mail], order 1234567890123"
        );
        let mut value = serde_json::json!({"list": ["a maria@example.com", 111122223333_u64], "text": "111122223333"});
        redact_value(&mut value, &Redaction::ALL);
        assert_eq!(value, serde_json::json!({"list": ["a [e-mail]", 111122223333_u64], "text": "[account]"}));
        assert_eq!(without_emails("a @ b, @home, x@y"), "a @ b, @home, x@y");
    }

    #[test]
    fn the_other_ways_of_writing_them_are_known() {
        for (text, left) in [
            ("in 1111-2222-3333.", "in [account]."),
            ("prod-1111-2222-3333", "prod-[account]"),
            ("1111-2222-3333-4444, 1111-2222, 2026-03-10", "1111-2222-3333-4444, 1111-2222, 2026-03-10"),
            ("Ask @jo@example.com.", "Ask @[e-mail]."),
            ("..jo@example.com", "..[e-mail]"),
            ("https://a.b/?who=user%40example.com&x=1", "https://a.b/?who=[e-mail]&x=1"),
            ("111122223333@example.com", "[e-mail]"),
            ("100% of a.b, 5%40", "100% of a.b, 5%40"),
        ] {
            assert_eq!(redact_text(text, &Redaction::ALL), left);
        }
    }
}
