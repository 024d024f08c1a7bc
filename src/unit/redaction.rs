//! Blacking out what must not leave the house: account numbers and e-mail addresses, in texts and in all texts of a value.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is blacked out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redaction {
    /// Twelve-digit account numbers, which become `************`.
    AccountIds,
    /// E-mail addresses, which become `***@***`.
    Emails,
}

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
    redactions.iter().fold(text.to_owned(), |text, redaction| match redaction {
        Redaction::AccountIds => without_accounts(&text),
        Redaction::Emails => without_emails(&text),
    })
}

/// AWS: an account's id is exactly twelve digits; longer numbers, and digits inside a word, are something else.
fn without_accounts(text: &str) -> String {
    let pieces = split_keeping(text, char::is_alphanumeric);
    let is_account = |piece: &str| piece.len() == 12 && piece.chars().all(|c| c.is_ascii_digit());
    pieces.into_iter().map(|piece| if is_account(piece) { "************" } else { piece }).collect()
}

fn without_emails(text: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '@' | '.' | '_' | '%' | '+' | '-');
    let is_email = |piece: &str| {
        piece.split_once('@').is_some_and(|(name, host)| !name.is_empty() && host.trim_end_matches('.').contains('.'))
    };
    split_keeping(text, is_part).into_iter().map(|piece| if is_email(piece) { "***@***" } else { piece }).collect()
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
            "arn:aws:lambda:eu-west-1:************:function:x by ***@***, order 1234567890123"
        );
        let mut value = serde_json::json!({"list": ["a maria@example.com", 111122223333_u64], "text": "111122223333"});
        redact_value(&mut value, &Redaction::ALL);
        assert_eq!(value, serde_json::json!({"list": ["a ***@***", 111122223333_u64], "text": "************"}));
        assert_eq!(without_emails("a @ b, @home, x@y"), "a @ b, @home, x@y");
    }
}
